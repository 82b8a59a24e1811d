"""The command `lamina`: one module for each command. A command is imported only when it runs."""
