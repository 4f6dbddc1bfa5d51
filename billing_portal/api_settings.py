"""Settings of the REST API: its limits, its framework, its schema. A part of settings.py."""

from billing_portal.environment import env

DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
#: For each key and kind of call (`throttle_scope` of the view).
API_REQUESTS_PER_MINUTE = {
    "usage": env.int("API_USAGE_REQUESTS_PER_MINUTE", 12_000),
    "authorization": env.int("API_AUTHORIZATION_REQUESTS_PER_MINUTE", 60_000),
    "default": env.int("API_REQUESTS_PER_MINUTE", 3_000),
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "accounts.api_schema.CallSchema",
    "EXCEPTION_HANDLER": "accounts.api.exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Billing portal API",
    "DESCRIPTION": "Usage reporting, call authorization and account provisioning.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accounts.api_schema.add_headers",
        "billing_portal.api_schema_examples.add",
    ],
    "ENUM_NAME_OVERRIDES": {
        "EntryKind": "wallet.models.EntryKind.choices",
        "FeatureKind": "plans.models.FeatureKind.choices",
        "TransactionStatus": "invoices.models.Status.choices",
        "SubscriptionStatus": "plans.models.SubscriptionStatus.choices",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}
