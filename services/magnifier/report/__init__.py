"""The report: one page that shows and says what was found."""
