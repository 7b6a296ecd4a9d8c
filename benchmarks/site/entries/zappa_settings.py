# What `zappa package` writes for {"django_settings": "shop.settings", "log_level":
# "INFO"}; by default it logs at DEBUG.
EXCEPTION_HANDLER = None
DEBUG = False
LOG_LEVEL = "INFO"
BINARY_SUPPORT = True
CONTEXT_HEADER_MAPPINGS: dict[str, str] = {}
DOMAIN = None
BASE_PATH = None
ENVIRONMENT_VARIABLES: dict[str, str] = {}
API_STAGE = "prod"
PROJECT_NAME = "shop"
SETTINGS_FILE = None
DJANGO_SETTINGS = "shop.settings"
AWS_EVENT_MAPPING: dict[str, str] = {}
AWS_BOT_EVENT_MAPPING: dict[str, str] = {}
COGNITO_TRIGGER_MAPPING: dict[str, str] = {}
ASYNC_RESPONSE_TABLE = ""
ADDITIONAL_TEXT_MIMETYPES: list[str] = []
