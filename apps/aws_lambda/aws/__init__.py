"""
The few calls to AWS that every cold start may make, without an SDK.

Loading botocore and one client takes 130 ms of CPU time in each cold start. These
modules with one call take 4 ms. TLS takes 18 ms in either case. Code that only some
invocations run may use botocore.
"""
