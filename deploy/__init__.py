"""What brings the project to Lambda. Nothing of it is deployed."""
