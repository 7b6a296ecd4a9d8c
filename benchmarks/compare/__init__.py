"""
Compare this project with other ways to run Django on AWS Lambda: `make bench`.

The same site is built with each, started through Lambda's Runtime API by the real
runtime client, and measured in turn. docs/performance.md has the method and the
results; `variants` is the table of what is compared.
"""
