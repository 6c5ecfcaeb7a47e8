"""What is done from time to time, whether or not anything happens: messages, care of the data."""
