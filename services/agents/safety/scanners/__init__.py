"""The programs that scan texts in processes of their own."""
