"""How fast Lamina is, beside what the machine can do and beside other tools: `python -m bench`, see `__main__.py`."""
