"""The demo's three customers and what they did in the past months."""

from random import Random

from accounts.roles import Role
from billing_portal.demo_months.bank import Bank
from billing_portal.demo_months.company import Company, Diary, Profile

SOHAR = Profile(
    external_id="sohar-logistics",
    name="Sohar Logistics LLC",
    owner_email="owner@demo.test",
    calls_per_day=30,
    minutes_per_call=2,
    workspaces=("Customer care", "Dispatch", "Sales outreach"),
    billing={
        "billing_name": "Sohar Logistics LLC · شركة صحار للخدمات اللوجستية",
        "address_line1": "Way 4521, Building 12",
        "city": "Sohar 311",
        "country": "OM",
        "tax_number": "OM1100045678",
        "receipt_email": "accounts@sohar-logistics.test",
    },
    members=(("billing@demo.test", Role.BILLING), ("viewer@demo.test", Role.VIEWER)),
)
DHOFAR = Profile(
    external_id="dhofar-clinics",
    name="Dhofar Clinics Group",
    owner_email="owner@other.test",
    calls_per_day=7,
    minutes_per_call=2,
    workspaces=("Appointments", "Reminders"),
    billing={
        "billing_name": "Dhofar Clinics Group SAOC",
        "address_line1": "23rd July Street",
        "city": "Salalah 211",
        "country": "OM",
    },
    members=(("viewer@other.test", Role.VIEWER),),
)
JEBEL = Profile(
    external_id="jebel-tours",
    name="Jebel Akhdar Tours",
    owner_email="owner@demo.test",
    calls_per_day=3,
    minutes_per_call=2,
    workspaces=("Bookings",),
)


def demo_companies(*, bank: Bank, random: Random) -> list[tuple[Company, Diary]]:
    """Return the demo's customers with their diaries, for about four months."""
    sohar, dhofar, jebel = (
        Company(profile, bank=bank, random=random) for profile in (SOHAR, DHOFAR, JEBEL)
    )
    return [
        (sohar, _diary_of_sohar(sohar)),
        (dhofar, _diary_of_dhofar(dhofar)),
        (jebel, _diary_of_jebel(jebel)),
    ]


def _diary_of_sohar(company: Company) -> Diary:
    """Growth plan with rentals and auto-refill; a card that had two bad weeks."""
    return {
        0: [company.join, company.add_card, lambda now: company.pay_on_page(100, now)],
        1: [
            lambda now: company.subscribe("growth", now),
            lambda now: company.rent("phone_number", 4, now),
            lambda now: company.rent("user_seat", 5, now),
        ],
        4: [
            lambda now: company.switch_auto_refill_on(20, 50, now),
            lambda now: company.copy_receipts_to("audit@sohar-logistics.test", now),
            lambda now: company.be_told_below(10, now),
        ],
        19: [lambda now: company.open_payment_page(250, now)],
        # The card has no funds when the second period begins: past due, retried, recovered.
        30: [lambda now: company.card_declines("insufficient_funds")],
        35: [lambda now: company.card_declines(None)],
        47: [lambda now: company.rent("phone_number", 6, now)],
        58: [lambda now: company.pay_on_page(100, now, "pm_card_amex")],
        # Refills fail until auto-refill suspends itself; the owner switches it on again.
        76: [lambda now: company.card_declines("card_declined")],
        80: [
            lambda now: company.cap_spend(300, now),
            lambda now: company.make_key("Finance spreadsheet", now),
        ],
        86: [
            lambda now: company.card_declines(None),
            lambda now: company.switch_auto_refill_on(25, 75, now),
        ],
        96: [lambda now: company.add_card(now, "pm_card_mastercard")],
        109: [lambda now: company.open_payment_page(100, now)],
        110: [lambda now: company.invite("fatma@sohar-logistics.test", Role.BILLING, now)],
    }


def _diary_of_dhofar(company: Company) -> Diary:
    """Starter plan, topped up by hand; another company, for the second tenant."""
    return {
        2: [company.join, lambda now: company.add_card(now, "pm_card_mastercard")],
        3: [
            lambda now: company.subscribe("starter", now),
            lambda now: company.top_up(25, now),
        ],
        20: [lambda now: company.card_declines("insufficient_funds")],
        21: [lambda now: company.top_up(25, now)],
        22: [
            lambda now: company.card_declines(None),
            lambda now: company.top_up(25, now),
        ],
        45: [lambda now: company.top_up(25, now)],
        62: [lambda now: company.open_payment_page(50, now)],
        63: [lambda now: company.top_up(50, now)],
        # Meant to top up by 40: support pays ten dollars back.
        64: [lambda now: company.is_refunded(10, "Typed 50 for 40", now)],
        98: [lambda now: company.top_up(25, now)],
        # A colleague did not know the payment, and withdraws the dispute a week later.
        101: [lambda now: company.dispute("unrecognized", now)],
        108: [lambda now: company.withdraw_dispute(now)],
        # The new card's bank asks at every payment: a refill waits for the owner's confirmation.
        111: [
            lambda now: company.add_card(now, "pm_card_authenticationRequired"),
            company.charge_to_newest_card,
            lambda now: company.switch_auto_refill_on(60, 25, now),
            lambda now: company.invite("reception@dhofar-clinics.test", Role.VIEWER, now),
        ],
    }


def _diary_of_jebel(company: Company) -> Diary:
    """Pay as you go without a card; calls on after the credit is used up, so it is paused."""
    return {
        5: [company.join, lambda now: company.pay_on_page(25, now, "pm_card_visa")],
        50: [lambda now: company.pay_on_page(25, now, "pm_card_visa")],
        85: [lambda now: company.open_payment_page(25, now)],
    }
