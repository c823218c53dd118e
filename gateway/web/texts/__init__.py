"""Every English sentence of the pages, by key. Templates and pages take them from here: one folder translates."""

from gateway.web.texts import account, papers, scanners
from gateway.web.texts.account import ACTIONS, AUDIT_OUTCOMES, FACTORS, LEVELS
from gateway.web.texts.papers import CHECKS, DELIVERY_STATES, SCAN_OUTCOMES, SIDES, WEEKDAYS
from gateway.web.texts.scanners import SCAN_CHOICES, UNIT_STATES, VIAS

__all__ = [
    "ACTIONS",
    "AUDIT_OUTCOMES",
    "CHECKS",
    "DELIVERY_STATES",
    "FACTORS",
    "LEVELS",
    "SCAN_CHOICES",
    "SCAN_OUTCOMES",
    "SIDES",
    "UNIT_STATES",
    "VIAS",
    "WEEKDAYS",
]

TEXTS: dict[str, str] = {
    **account.TEXTS,
    **scanners.TEXTS,
    **papers.TEXTS,
    "product": "ScanSnap Gateway",
    "menu": "Navigation Menu",
    "menu.home": "Scans",
    "menu.add": "Add a scanner",
    "menu.destinations": "Destinations",
    "menu.settings": "Settings",
    "menu.sign_out": "Sign out",
    "skip": "Skip to the content",
    "cancel": "Cancel",
    "continue": "Continue",
    "email": "E-mail address",
    "password": "Password",
    "password.again": "Password, once more",
    "password.help": "At least 15 characters. A sentence is easy to remember and hard to guess.",
    "password.differ": "The two passwords are not the same.",
    "code": "Authentication code",
    "code.help": "Six digits from your authenticator app.",
    "window": "Keep forwarding open for",
    "window.1": "1 hour",
    "window.12": "12 hours",
    "window.24": "24 hours",
    "window.help": "Scans leave the gateway only during this time. Afterwards they are held until you sign in again.",
    "setup.title": "Set up this gateway",
    "setup.lead": "Create the first account. You need the set-up token, which only the administrator can read.",
    "setup.token": "Set-up token",
    "setup.token.help": "On the gateway, run: scansnap-gateway setup-token",
    "setup.submit": "Create account",
    "sign_in.title": "Sign in",
    "sign_in.lead": "Scans are forwarded only while you are signed in with password and authentication code.",
    "sign_in.submit": "Sign in",
    "sign_in.locked": "Locked after 30 minutes without activity. Forwarding is not affected by that.",
    "sign_in.step_up": "To go on, enter your e-mail address and password again, and the code if one is asked for.",
    "sign_in.still": "You are signed in as {email}. Signing in again replaces this session.",
    "code.title": "Enter the authentication code",
    "code.lead": "The password is right. Open your authenticator app and enter the code for {email}.",
    "code.submit": "Sign in",
    "code.other": "Sign in as somebody else",
    "sign_out.title": "Sign out",
    "sign_out.everywhere": "On all devices",
    "sign_out.everywhere.help": "Ends all of your sessions. Forwarding stops; scans are held until you sign in again.",
    "sign_out.here": "Only on this device",
    "sign_out.here.help": "Sessions on other devices go on, and keep forwarding open as long as their time lasts.",
    "sign_out.submit": "Sign out",
    "settings.title": "Settings",
    "settings.account": "Account",
    "settings.account.help": "E-mail address, two-factor authentication",
    "settings.destinations.help": "Where your documents go",
    "settings.notices.help": "Also by e-mail, webhook or ntfy",
    "settings.add.help": "Register a ScanSnap with your account",
    "settings.sign_out.help": "On all devices, or on this one",
    "account.title": "Account",
    "account.two_factor": "Two-factor authentication",
    "account.on": "On",
    "account.off": "Off",
    "account.manage": "Show the account management page",
    "account.manage.help": "Asks for your password again unless you gave it within the last 10 minutes.",
    "manage.title": "Account management",
    "manage.setting": "Account setting",
    "two_factor.lead": "Protects your account by an authentication code in addition to the password. "
    "Scans are forwarded only with it.",
    "enable.title": "Enable two-factor authentication",
    "enable.lead": "Install an authenticator app such as Microsoft Authenticator on your phone. "
    "Then enter your password to go on.",
    "enrol.step1": "Scan this code with your authenticator app",
    "enrol.qr": "QR code of the secret key",
    "enrol.or": "Or copy the secret key into the app",
    "enrol.account": "Account name",
    "enrol.secret": "Secret key",
    "enrol.copy": "Copy",
    "enrol.copied": "Copied",
    "enrol.step2": "Enter the code that the app shows",
    "enrol.off": "Two-factor authentication is not on before this code has been checked.",
    "enrol.again": "Start again with a new secret key",
    "enrol.retry": "Your app has the secret key already. Wait for the next code and enter it.",
    "disable.title": "Disable two-factor authentication",
    "disable.lead": "Every session of your account ends, and forwarding stops. All scans are held until two-factor "
    "authentication is on again and you have signed in.",
    "disable.held.none": "No scans are held now.",
    "disable.held.ack": "I understand that what is held stays held.",
    "disable.held.ack.missing": "Please confirm that you have seen how many scans are held.",
    "disable.submit": "Disable two-factor authentication",
    "message.home": "To the main screen",
    "settings.trust.help": "Shows these pages without a warning on your phone",
    "trust.title": "Trust this gateway",
    "trust.lead": "The gateway made a certificate authority of its own, since no public one vouches for addresses in "
    "a home. A device that trusts it shows these pages without a warning.",
    "trust.step1": "Compare the fingerprint",
    "trust.compare": "It must be the same as on the gateway's console, where the command scansnap-gateway trust "
    "shows it (SHA-256):",
    "trust.until": "Good until",
    "trust.step2": "Install the certificate",
    "trust.get": "Get the certificate",
    "trust.iphone": "iPhone and iPad",
    "trust.iphone.how": "Open the certificate in Safari and allow the profile. Install it in Settings, General, VPN & "
    "Device Management. Then switch it on in Settings, General, About, Certificate Trust Settings.",
    "trust.android": "Android",
    "trust.android.how": "Settings, Security, More security settings, Encryption & credentials, Install a certificate, "
    "CA certificate. Then choose the file.",
    "trust.desk": "Computers",
    "trust.desk.how": "Open the file and add it to the trusted root authorities. Firefox: Settings, Privacy & "
    "Security, View Certificates, Authorities, Import.",
    "trust.limits": "It can vouch for this gateway's names and for private addresses only, never for other sites.",
    "trust.other": "On another device",
    "trust.qr": "QR code of this page's address",
    "trust.other.help": "The code leads to this page. After the # in its address stands the fingerprint.",
    "trust.none": "This gateway has no certificate authority of its own: there is nothing to install.",
    "trust.warned": "Does the browser warn about this page?",
    "noscript": "This page does not refresh by itself without scripts. Load it again to see what is new.",
}

COUNTED: dict[str, tuple[str, str]] = {
    "held": ("1 scan is held", "{n} scans are held"),
    "notices": ("1 notice", "{n} notices"),
    "sessions": ("through 1 session", "through {n} sessions"),
    "pages": ("1 page", "{n} pages"),
    "disable.held": ("1 scan is held and stays held.", "{n} scans are held and stay held."),
}

NOTICES: dict[str, str] = {
    **account.NOTICES,
    "scan": "The scanner was asked to scan.",
    "scan_deleted": "The scan is deleted.",
    "renamed": "The scanner has its new name.",
    "configured": "Saved. It holds from the next scan on.",
    "unit_removed": "The scanner was removed.",
    "lent": "The scanner is lent for 10 minutes. Other apps can use it now.",
    "taken_back": "The scanner is yours again.",
    "password_set": "Saved. The scanner is tried with it now.",
    "trusted": "The scanner is used again.",
    "parted": "This way to the scanner was removed.",
    "destination_added": "The destination was saved. Test it to be sure.",
    "destination_changed": "The destination was saved. Test it to be sure; what failed there is tried again.",
    "destination_removed": "The destination was removed.",
    "destination_works": "The test passed: the destination can be reached and written to.",
    "finished": "The scan is finished as it is.",
    "retried": "Done.",
    "sent": "It is on its way.",
    "channel_added": "Saved. Test it to be sure.",
    "channel_removed": "Nothing is pushed there any more.",
    "channel_tested": "A test is on its way there.",
    "rule_saved": "The rules are saved.",
    "rule_removed": "The rule was removed.",
    "disabled": "Two-factor authentication is disabled. Sign in with your password.",
    "signed_out": "You are signed out.",
}


def text(key: str, **values: object) -> str:
    """Return a text with its values filled in; KeyError for a key that is not in the catalogue."""
    return TEXTS[key].format(**values)


def counted(key: str, n: int) -> str:
    """Return a text that depends on a number."""
    one, many = COUNTED[key]
    return one if n == 1 else many.format(n=n)
