"""
Files that a browser sends straight to the bucket, of any size.

A request to a function has at most 6 MB. So the page gets a grant for one file, the
browser sends the file to its final key with signed requests, and the form has the
token of the grant instead of the file. Model fields and their forms stay Django's.

``apps.py`` connects the file fields of all models, ``fields`` is what their forms
have, ``tickets`` who may upload, ``grants`` the life of an upload, ``views`` what the
script in ``static/`` calls; UploadMiddleware serves them.
"""

# Of the paths of the views.
PREFIX = "_uploads/"
