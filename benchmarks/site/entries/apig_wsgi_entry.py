# As in https://github.com/adamchainz/apig-wsgi#usage
from apig_wsgi import make_lambda_handler
from shop.wsgi import application

handler = make_lambda_handler(application)
