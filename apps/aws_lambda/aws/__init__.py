"""
The few calls to AWS that every environment makes, without an SDK.

Loading botocore and one client takes 130 ms of processor time in each cold start,
and these modules with a call take 4, besides the 18 that TLS takes either way.
What only some invocations need may well use botocore.
"""
