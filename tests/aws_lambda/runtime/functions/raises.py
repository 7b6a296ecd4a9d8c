raise ZeroDivisionError("in the init phase")
