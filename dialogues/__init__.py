"""What the commands of the menu ask, have done and show."""
