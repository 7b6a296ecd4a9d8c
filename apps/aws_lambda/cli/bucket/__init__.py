"""
Try the bucket of a stage: what it accepts, and what it must refuse.

``pages`` asks what a browser asks before it sends, ``files`` and ``parts`` send what is
signed and what is not, ``rules`` reads the configuration; ``target`` is the bucket.
"""
