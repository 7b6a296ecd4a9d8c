# As in https://mangum.fastapiexpert.com/asgi-frameworks/#django
from mangum import Mangum
from shop.asgi import application

handler = Mangum(application, lifespan="off")
