"""Addresses of the dashboard (DESIGN.md section 8)."""

from django.urls import path

from billing_portal.dashboard.views import (
    cards,
    confirm,
    history,
    language,
    overview,
    plan,
    refill,
    rentals,
    settings,
    switch,
    top_up,
)

urlpatterns = [
    path("", overview.overview, name="billing-overview"),
    path("auto-refill/", refill.auto_refill, name="auto-refill"),
    path("switch-account/", switch.switch_account, name="switch-account"),
    path("payment-methods/", cards.payment_methods, name="payment-methods"),
    path("payment-methods/add/", cards.add, name="payment-method-add"),
    path("payment-methods/setup-intent/", cards.setup_intent, name="payment-method-setup-intent"),
    path("payment-methods/<int:pk>/default/", cards.make_default, name="payment-method-default"),
    path("payment-methods/<int:pk>/remove/", cards.remove, name="payment-method-remove"),
    path("top-up/", top_up.top_up, name="top-up"),
    path("top-up/return/", top_up.top_up_return, name="top-up-return"),
    path("history/", history.history, name="billing-history"),
    path("history/export.csv", history.export, name="billing-history-export"),
    path("history/<slug:number>/", history.detail, name="billing-history-detail"),
    path("history/<slug:number>/confirm/", confirm.confirm, name="payment-confirm"),
    path("history/<slug:number>/confirm/decline/", confirm.decline, name="payment-confirm-decline"),
    path("history/<slug:number>/check/", history.check_again, name="billing-history-check"),
    path("history/<slug:number>/receipt.pdf", history.receipt, name="billing-history-receipt"),
    path(
        "history/<slug:number>/credit-notes/<slug:credit_note_number>.pdf",
        history.credit_note,
        name="billing-history-credit-note",
    ),
    path("settings/", settings.settings, name="billing-settings"),
    path("settings/billing-details/", settings.save_billing_details, name="billing-details"),
    path("settings/language/", language.save_language, name="language"),
    path("settings/low-balance/", settings.save_low_balance, name="low-balance"),
    path("pay-now/", plan.pay_now, name="renewal-pay-now"),
    path("plan/", plan.plan, name="plan"),
    path("plan/rentals/<slug:key>/", rentals.rental, name="rental"),
    path("plan/rentals/<slug:key>/keep/", rentals.keep, name="rental-keep"),
    path("plan/<slug:slug>/", plan.choose, name="choose-plan"),
    path("cancel-plan/", plan.cancel, name="plan-cancel"),
    path("keep-plan/", plan.keep, name="plan-keep"),
]
