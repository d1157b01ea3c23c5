"""What text files and stored folders say of networks and trainings, read as data and checked."""
