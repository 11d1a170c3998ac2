"""Dovecot as the mailboxes of a test."""

import atexit
import os
import pwd
import shutil
import socket
import tempfile

from daemons import Program, Skip, installed, wait_for

bases = {}  # of the Dovecots of one test: who starts a second one finds the mailboxes of the first


class Dovecot(Program):
    """A private LMTP server with a Maildir for each of its users; as root or as anybody."""

    def __init__(self, folder, users=("ann@home.example", "cy@home.example", "full@home.example")):
        """A user whose name is "full" has no room."""
        dovecot = installed("dovecot")
        if not os.path.exists("/usr/lib/dovecot/lmtp"):
            raise Skip("dovecot-lmtpd is not installed")
        # Its processes need a user of their own when root starts it.
        user = pwd.getpwuid(os.getuid()).pw_name if os.getuid() != 0 else "nobody"
        uid, gid = pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid
        # The build may lie below a folder that is closed to that user.
        if folder not in bases:
            bases[folder] = tempfile.mkdtemp(prefix="pmrelay-dovecot-")
            atexit.register(shutil.rmtree, bases[folder], True)
        self.base = bases[folder]
        self.mail = os.path.join(self.base, "mail")
        self.socket = os.path.join(self.base, "lmtp")
        os.makedirs(self.mail, exist_ok=True)
        for path in (self.base, self.mail):
            os.chmod(path, 0o755)
            if os.getuid() == 0:
                os.chown(path, uid, gid)
        with open(os.path.join(self.base, "users"), "w") as f:
            for address in users:
                name = address.partition("@")[0]
                f.write("%s:{plain}x:%d:%d::%s/%s::%s\n" % (
                    address, uid, gid, self.mail, name,
                    "userdb_quota_rule=*:bytes=1000" if name == "full" else ""))
        config = os.path.join(self.base, "dovecot.conf")
        with open(config, "w") as f:
            f.write("""
base_dir = {base}/run
state_dir = {base}/run
instance_name = pmrelay-test
log_path = {base}/log
protocols = lmtp
ssl = no
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_plugins = quota
plugin {{
  quota = maildir:User quota
  quota_status_overquota = 452 4.2.2 mailbox is full
}}
passdb {{
  driver = passwd-file
  args = {base}/users
}}
userdb {{
  driver = passwd-file
  args = {base}/users
}}
service lmtp {{
  chroot =
  unix_listener {socket} {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
""".format(base=self.base, socket=self.socket, internal="dovecot" if os.getuid() == 0 else user,
                login="dovenull" if os.getuid() == 0 else user,
                group="dovecot" if os.getuid() == 0 else "nogroup"))
        Program.__init__(self, "dovecot", [dovecot, "-F", "-c", config], folder)
        wait_for("dovecot's socket", lambda: os.path.exists(self.socket) and self.answers())

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            try:
                s.connect(self.socket)
                return s.recv(100).startswith(b"220")
            except OSError:
                return False

    def maildir(self, name):
        return os.path.join(self.mail, name, "Maildir")
