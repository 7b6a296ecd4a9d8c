"""Background tasks on SQS, and the function that runs them."""
