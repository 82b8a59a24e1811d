"""Odd images, given to the readers in use and to ours: who takes them, and what each sees."""
