"""What tests share: fixtures, helpers, and the programs and archives that they work on."""
