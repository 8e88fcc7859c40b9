"""IBANs that are well-formed, so that they identify, and belong to nobody."""


def iban(number: int, *, country: str = "FR") -> str:
    """A French IBAN of account `number` at a bank that does not exist, with right check digits."""
    account = f"1234500001{number:011d}00"
    turned = "".join(str(int(sign, 36)) for sign in f"{account}{country}00")
    return f"{country}{98 - int(turned) % 97:02d}{account}"
