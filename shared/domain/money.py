"""Which currencies and balances a manual account may have."""

from decimal import Decimal

from shared.domain.connection import AccountType
from shared.domain.errors import InvalidInput

_ISO_4217 = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
    CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR
    IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV
    WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
"""ISO 4217, list one as of 2026-01-01 (the maintenance agency's "Current currency & funds code list"): the currencies
in which money is held. Funds codes, metals, bond units and test codes are left out."""

_TICKERS = """
    AAVE ADA ALGO APT ARB ATOM AVAX BCH BNB BTC DAI DOGE DOT EGLD ETC ETH EURC FIL HBAR ICP LINK LTC NEAR OP PEPE POL
    SHIB SOL SUI TON TRX UNI USDC USDT XLM XMR XRP XTZ ZEC
"""
"""No standard names these: the tickers of the crypto-assets that are widely held."""

_ACTIVE = frozenset(_ISO_4217.split())
_CRYPTO = frozenset(_TICKERS.split())

HIGHEST_BALANCE = Decimal(10) ** 12
"""In any currency: more than the accounts of one person hold, and far within what a double keeps to the cent."""

_MAY_OWE = {AccountType.CHECKING, AccountType.CARD, AccountType.LOAN, AccountType.OTHER}
"""An overdraft, a card's spending, what is left to repay. The other types hold what somebody owns, at least nothing."""


def check_currency(currency: str, kind: AccountType) -> None:
    """Raises InvalidInput `unknown_currency`."""
    if currency not in _ACTIVE and not (kind is AccountType.CRYPTO and currency in _CRYPTO):
        raise InvalidInput("no such currency", code="unknown_currency", field="currency")


def check_balance(balance: Decimal, kind: AccountType) -> None:
    """Raises InvalidInput `balance_out_of_range` or `negative_balance_not_allowed`."""
    if abs(balance) > HIGHEST_BALANCE:
        raise InvalidInput("too large", code="balance_out_of_range", field="balance")
    if balance < 0 and kind not in _MAY_OWE:
        raise InvalidInput("negative", code="negative_balance_not_allowed", field="balance")
