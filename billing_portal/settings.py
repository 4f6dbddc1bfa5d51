"""Settings, all from the environment.

On a laptop nothing needs to be set: the portal then starts its own PostgreSQL, uses a folder as its
broker and talks to the sandbox Stripe. With DEBUG off it refuses to start on anything that is not
fit for production (see checks.py and docs/deployment.md).
"""

from datetime import timedelta
from decimal import Decimal

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from billing_portal import embedded_postgres
from billing_portal.admin_settings import UNFOLD  # noqa: F401  (it is a setting)
from billing_portal.api_settings import (  # noqa: F401  (they are settings)
    API_REQUESTS_PER_MINUTE,
    DATA_UPLOAD_MAX_MEMORY_SIZE,
    REST_FRAMEWORK,
    SPECTACULAR_SETTINGS,
)
from billing_portal.broker_settings import (  # noqa: F401  (they are settings)
    CACHES,
    CELERY_BEAT_SCHEDULER,
    CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP,
    CELERY_BROKER_TRANSPORT_OPTIONS,
    CELERY_BROKER_URL,
    CELERY_TASK_ACKS_LATE,
    CELERY_TASK_IGNORE_RESULT,
    CELERY_TASK_PUBLISH_RETRY_POLICY,
    CELERY_TIMEZONE,
    CELERY_WORKER_HIJACK_ROOT_LOGGER,
    DJANGO_CELERY_BEAT_TZ_AWARE,
    REDIS_TIMEOUTS,
)
from billing_portal.database_settings import CONNECTION_OPTIONS
from billing_portal.environment import (
    BASE_DIR,
    DATA_DIR,
    DEBUG,
    decimal,
    env,
    limits_of_roles,
    required,
    running_demo,
    tax_rates,
)
from billing_portal.logs import configure_logging

SECRET_KEY = required("SECRET_KEY", on_a_laptop="a-laptop-has-nothing-to-hide-" + "0" * 32)
#: What earlier keys signed and encrypted is read with these (accounts/encryption.py).
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = [
    host.strip()
    for host in required("ALLOWED_HOSTS", on_a_laptop="localhost,127.0.0.1,[::1]").split(",")
]
PORTAL_URL = required(
    "PORTAL_URL",
    on_a_laptop=(
        f"http://127.0.0.1:{env.str('PORT')}"
        if env.str("PORT", "")
        else running_demo().get("url") or "http://127.0.0.1:8000"
    ),
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PORTAL_URL])

INSTALLED_APPS = [
    "accounts",
    "invoices",
    "wallet",
    "plans",
    "billing_portal",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_celery_beat",
    "django_cotton.apps.SimpleAppConfig",
    "django_countries",
    "django_htmx",
    "djmoney",
    "djstripe",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]

MIDDLEWARE = [
    "billing_portal.log_context.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "billing_portal.middleware.NothingKeptMiddleware",
    "billing_portal.middleware.PageCompressionMiddleware",
    "billing_portal.middleware.ContentSecurityPolicyMiddleware",
    "billing_portal.unavailable.UnavailableMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "billing_portal.dashboard.viewing.ViewingMiddleware",
    # After it: a signed-in person's own language goes before the browser's.
    "billing_portal.middleware.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "billing_portal.staff_sessions.StaffSessionMiddleware",
    "billing_portal.second_factor.SecondFactorMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "billing_portal.urls"
WSGI_APPLICATION = "billing_portal.wsgi.application"

_template_loaders = [
    "django_cotton.cotton_loader.Loader",
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            # Also with DEBUG on: runserver notices a changed template by itself.
            "loaders": [("django.template.loaders.cached.Loader", _template_loaders)],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "billing_portal.context_processors.portal",
            ],
            "builtins": ["django_cotton.templatetags.cotton"],
        },
    }
]
COTTON_DIR = "components"

# Data -----------------------------------------------------------------------------------------
if not env.str("DATABASE_URL", "") and not DEBUG:
    raise ImproperlyConfigured("DATABASE_URL is not set. With DEBUG off it is required.")
DATABASES = {
    "default": env.db_url_config(env.str("DATABASE_URL", "") or embedded_postgres.start(DATA_DIR))
}
if CELERY_BROKER_URL == "filesystem://" and not DEBUG:
    raise ImproperlyConfigured("BROKER_URL is not set. With DEBUG off it is required.")
DATABASES["default"].update(
    {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 0,
        "OPTIONS": {**DATABASES["default"].get("OPTIONS", {}), **CONNECTION_OPTIONS},
        "ATOMIC_REQUESTS": False,
    }
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# dj-stripe's own migrations take over a minute; see djstripe_migrations/__init__.py.
MIGRATION_MODULES = {"djstripe": "billing_portal.djstripe_migrations"}

# People ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "billing_portal.sign_in.InvitedOnlyAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
#: How many proxies of ours are in front: the customer's address is so far from the end of
#: X-Forwarded-For. Without it all customers would share the proxy's address, and its limits.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0 if DEBUG else 1)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "billing-overview"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
#: Staff get nowhere with a password alone. On a laptop only when asked for; elsewhere always.
STAFF_NEED_SECOND_FACTOR = not DEBUG or env.bool("STAFF_NEED_SECOND_FACTOR", False)
MFA_ADAPTER = "accounts.kept_secrets.EncryptingAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
#: Addresses are proven by the invitation, or by whoever ran `create_staff`.
MFA_ALLOW_UNVERIFIED_EMAIL = True
#: Browsers make passkeys for https only, and on a laptop for http://localhost.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG

# Language and time ----------------------------------------------------------------------------
LANGUAGE_CODE = "en"
#: What the portal is written in; how to add one: docs/translating.md.
LANGUAGES = [("en", "English"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# Static files ---------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Money ----------------------------------------------------------------------------------------
CURRENCIES = ("USD", "OMR")
DEFAULT_CURRENCY = "USD"
CHARGE_CURRENCY = "OMR"
#: Rials for a dollar, for transactions opened from now on (DESIGN.md section 4).
USD_TO_OMR = decimal("USD_TO_OMR", "0.385")
#: The smallest step of a charge: Stripe wants OMR amounts that end in 0 baisa.
CHARGE_STEP = Decimal("0.010")
MAXIMUM_TOP_UP = decimal("MAXIMUM_TOP_UP", "5000.00")
CARD_HOLD_AMOUNT = Decimal("1.00")
#: Up to how many dollars each role of staff adjusts and refunds alone; beyond it, and for a role
#: that is not listed, somebody else has to approve. Then: how much a role may approve.
STAFF_ADJUSTMENT_LIMITS = limits_of_roles(
    "STAFF_ADJUSTMENT_LIMITS", "Support=25,Finance=500,Administrator=5000"
)
STAFF_REFUND_LIMITS = limits_of_roles("STAFF_REFUND_LIMITS", "Finance=500,Administrator=5000")
STAFF_APPROVAL_LIMITS = limits_of_roles(
    "STAFF_APPROVAL_LIMITS", "Finance=5000,Administrator=100000"
)
#: How many cards may be tried in an hour before somebody who tests stolen ones is suspected.
CARD_ATTEMPTS_PER_HOUR = {
    "account": env.int("CARD_ATTEMPTS_PER_ACCOUNT", 5),
    "user": env.int("CARD_ATTEMPTS_PER_USER", 8),
    "address": env.int("CARD_ATTEMPTS_PER_ADDRESS", 15),
}
#: How many top-ups an account may start in an hour, paid or not.
TOP_UPS_PER_HOUR = env.int("TOP_UPS_PER_HOUR", 20)

#: Prices are net. With this on, what the customer's country asks for is added to each transaction
#: opened from now on.
CHARGE_TAX = env.bool("CHARGE_TAX", False)
TAX_NAME = env.str("TAX_NAME", "VAT")
#: Percent by ISO 3166 country code; a country that is not listed pays none.
TAX_RATES = tax_rates("TAX_RATES", "OM=5")

SELLER = {
    "name": env.str("SELLER_NAME", "Badal Technologies"),
    "country": env.str("SELLER_COUNTRY", "Sultanate of Oman"),
    "address": env.str("SELLER_ADDRESS", "Muscat, Sultanate of Oman"),
    "tax_number": env.str("SELLER_TAX_NUMBER", ""),
    "email": env.str("SELLER_EMAIL", "billing@badal.example"),
    #: Receipt numbers begin with this; each prefix has its own gapless sequence.
    "receipt_prefix": env.str("SELLER_RECEIPT_PREFIX", "BT"),
    #: Credit notes, likewise.
    "credit_note_prefix": env.str("SELLER_CREDIT_NOTE_PREFIX", "CN"),
}
#: What an authenticator app calls the portal.
MFA_TOTP_ISSUER = SELLER["name"]
#: Who is told of disputes and of refunds that failed.
STAFF_EMAIL = env.str("STAFF_EMAIL", "") or SELLER["email"]

# Stripe ---------------------------------------------------------------------------------------
#: On a laptop without keys, the sandbox in stripe_sandbox/ stands in for Stripe.
STRIPE_SANDBOX_URL = (
    env.str("STRIPE_SANDBOX_URL", "")
    or running_demo().get("sandbox_url")
    or "http://127.0.0.1:12111"
    if DEBUG and not env.str("STRIPE_SECRET_KEY", "")
    else ""
)
STRIPE_SECRET_KEY = required("STRIPE_SECRET_KEY", on_a_laptop="sk_test_" + "sandbox0" * 4)
STRIPE_PUBLISHABLE_KEY = required("STRIPE_PUBLISHABLE_KEY", on_a_laptop="pk_test_" + "sandbox0" * 4)
STRIPE_API_BASE = STRIPE_SANDBOX_URL or "https://api.stripe.com"
STRIPE_JS_URL = f"{STRIPE_SANDBOX_URL}/v3/" if STRIPE_SANDBOX_URL else "https://js.stripe.com/v3/"
STRIPE_TIMEOUT_SECONDS = env.int("STRIPE_TIMEOUT_SECONDS", 20)
#: What Stripe takes, of all processes together: 25 requests a second at an endpoint, unless it was
#: raised for the account (docs.stripe.com/rate-limits). The sandbox takes what it can.
STRIPE_CHARGES_PER_SECOND = env.int("STRIPE_CHARGES_PER_SECOND", 500 if STRIPE_SANDBOX_URL else 25)
#: How many charges a run of renewals has under way at once, each with a database connection:
#: charges a second × the seconds that one takes, from its moment's turn to its settlement.
RENEWAL_THREADS = env.int("RENEWAL_THREADS", 10)
STRIPE_LIVE_MODE = STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
#: For a staging server: production settings with Stripe's test keys.
ALLOW_STRIPE_TEST_MODE = env.bool("ALLOW_STRIPE_TEST_MODE", False)
STRIPE_API_VERSION = "2026-08-26.dahlia"
if STRIPE_LIVE_MODE:
    STRIPE_LIVE_SECRET_KEY = STRIPE_SECRET_KEY
else:
    STRIPE_TEST_SECRET_KEY = STRIPE_SECRET_KEY
if STRIPE_SANDBOX_URL:
    STRIPE_API_HOST = STRIPE_SANDBOX_URL
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
STRIPE_WEBHOOK_MAXIMUM_BYTES = 512 * 1024
STRIPE_WEBHOOK_TOLERANCE_SECONDS = 300

# Mail -----------------------------------------------------------------------------------------
# On a laptop without a mail server, mail is kept as files and read at /mailbox/ (see mailbox.py).
_email_url = required("EMAIL_URL", on_a_laptop="")
MAILBOX_DIR = None if _email_url else DATA_DIR / "mail"
EMAIL_CONFIG = (
    env.email_url("EMAIL_URL")
    if _email_url
    else {"EMAIL_BACKEND": "billing_portal.mailbox.MailboxBackend"}
)
vars().update(EMAIL_CONFIG)
# Django waits forever by default, and with it the worker.
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Badal Billing <billing@badal.example>")

# The platform ---------------------------------------------------------------------------------
#: Where the platform is told of events, and what they are signed with. Both, or neither.
PLATFORM_WEBHOOK_URL = env.str("PLATFORM_WEBHOOK_URL", "")
PLATFORM_WEBHOOK_SECRET = env.str("PLATFORM_WEBHOOK_SECRET", "")

# Kafka ----------------------------------------------------------------------------------------
#: Where `consume_usage` reads usage from. Nothing else in the portal needs it.
KAFKA_BOOTSTRAP_SERVERS = env.str("KAFKA_BOOTSTRAP_SERVERS", "")
KAFKA_USAGE_TOPIC = env.str("KAFKA_USAGE_TOPIC", "usage")
KAFKA_DEAD_LETTER_TOPIC = env.str("KAFKA_DEAD_LETTER_TOPIC", "usage-rejected")
KAFKA_USAGE_GROUP = env.str("KAFKA_USAGE_GROUP", "billing-portal")
#: More of librdkafka's options, as a JSON object: how to sign in, above all.
KAFKA_OPTIONS = env.json("KAFKA_OPTIONS", default={})

# Security -------------------------------------------------------------------------------------
_stripe_sources = (
    [STRIPE_SANDBOX_URL]
    if STRIPE_SANDBOX_URL
    else ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"]
)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, *_stripe_sources],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [
            SELF,
            *_stripe_sources,
            *([] if STRIPE_SANDBOX_URL else ["https://api.stripe.com"]),
        ],
        "frame-src": [SELF, *_stripe_sources],
        "frame-ancestors": [NONE],
        "form-action": [
            SELF,
            *([STRIPE_SANDBOX_URL] if STRIPE_SANDBOX_URL else ["https://checkout.stripe.com"]),
        ],
        "base-uri": [SELF],
        "object-src": [NONE],
    }
}
#: Whoever has it may read /metrics; without one, nobody may.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
FILE_UPLOAD_HANDLERS = ["billing_portal.uploads.NoUploads"]
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
#: When staff have to sign in again, whatever they do meanwhile; and when they have done nothing.
STAFF_SESSION_HOURS = env.int("STAFF_SESSION_HOURS", 12)
STAFF_IDLE_MINUTES = env.int("STAFF_IDLE_MINUTES", 60)
SESSION_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
if not DEBUG:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds())
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
    # Browsers take cookies of these names from this very host only: a page on a neighbouring
    # subdomain can plant neither a session nor a token.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"

LOGGING_CONFIG = None
configure_logging(debug=DEBUG)
