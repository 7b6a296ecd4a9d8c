"""What packages, releases and removes a stage. Nothing of it is deployed."""
