"""How the processes of pmrelayd look after each other when one dies at a bad time."""

import grp
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from daemons import (Program, Relay, Sandbox, Skip, Wire, check, free_port, need, need_open_build,  # noqa: E402
                     program, role_pid, run, running, sanitized, wait_for)

SENDER, READER = "shop@sender.example", "ann@reader.example"


def one_front(folder):
    sandbox = Sandbox(folder)
    return sandbox, Relay(folder, sandbox.port, {"process": {"fronts": 1, "drain-timeout": "30s"},
                                                 "control": {"socket": ""}})


def begin_mail(wire):
    wire.hello()
    wire.ask(250, "MAIL FROM:<%s>" % SENDER)
    wire.ask(250, "RCPT TO:<%s>" % READER)
    wire.ask(354, "DATA")


def end_mail(wire, subject):
    wire.send("From: <%s>" % SENDER, "To: <%s>" % READER, "Subject: %s" % subject, "", "Hello.", ".")


def late_word_of_a_dead_front(folder):
    """The core notices that a front has gone when the supervisor has started the next one."""
    _, relay = one_front(folder)
    core, old = role_pid(relay, "core"), role_pid(relay, "front")
    os.kill(core, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    new = wait_for("another front", lambda: role_pid(relay, "front") not in (None, old) and
                   role_pid(relay, "front"), step_s=0.0005)
    os.kill(core, signal.SIGCONT)
    with Wire(relay.port) as wire:
        begin_mail(wire)
        end_mail(wire, "after it")
        wire.expect(250)
    time.sleep(0.5)
    check(role_pid(relay, "front") == new, relay.log())
    check("front-replaced" not in relay.log(), relay.log())


def core_dies_while_fronts_drain(folder):
    """A mail whose 250 is still open after SIGTERM gets it from another core."""
    sandbox, relay = one_front(folder)
    core = role_pid(relay, "core")
    with Wire(relay.port) as wire:
        begin_mail(wire)
        os.kill(core, signal.SIGSTOP)
        end_mail(wire, "drained")
        time.sleep(0.2)
        relay.signal(signal.SIGTERM)
        relay.await_log("process=front-1 event=draining")
        os.kill(core, signal.SIGKILL)
        wire.expect(250)
    check(relay.process.wait(30) == 0, relay.log())
    relay = relay.again(sandbox.port)
    sandbox.await_subjects(["drained"])


def supervisor_dies(folder):
    """Its children end by themselves, and what is on its way is answered first."""
    sandbox, relay = one_front(folder)
    pids = [role_pid(relay, "core"), role_pid(relay, "front")]
    with Wire(relay.port) as wire:
        begin_mail(wire)
        os.kill(relay.pid, signal.SIGKILL)
        wait_for("the core to notice", lambda: "process=core event=supervisor-gone" in relay.log())
        time.sleep(0.3)
        end_mail(wire, "orphaned")
        wire.expect(250)
    wait_for("the end of its children", lambda: not any(os.path.exists("/proc/%d" % p) for p in pids))
    relay.process.wait()
    running.remove(relay)
    relay = relay.again(sandbox.port)
    sandbox.await_subjects(["orphaned"])


def secrets_stay_inside(folder):
    """No process leaves a core dump, or memory and environment to others of its user."""
    _, relay = one_front(folder)
    for pid in [relay.pid, role_pid(relay, "core"), role_pid(relay, "front")]:
        with open("/proc/%d/limits" % pid) as f:
            line = [l.split() for l in f if l.startswith("Max core file size")][0]
        check(line[4] == "0", "process %d: %s" % (pid, line))
        if not sanitized():  # which need to look at their own process
            check(os.stat("/proc/%d/mem" % pid).st_uid == 0, "process %d can be read" % pid)
        with open("/proc/%d/limits" % pid) as f:
            files = [l.split() for l in f if l.startswith("Max open files")][0]
        check(files[3] == files[4], "process %d has fewer descriptors than it may: %s" % (pid, files))


# --- routes that are taken out of the configuration ---------------------------------------------

def with_routes(folder, sandbox, **routes):
    return Relay(folder, sandbox.port, {"route " + name: options for name, options in routes.items()})


def hand_in(relay, sender, subject):
    with Wire(relay.port) as wire:
        wire.hello()
        wire.ask(250, "MAIL FROM:<%s>" % sender)
        wire.ask(250, "RCPT TO:<%s>" % READER)
        wire.ask(354, "DATA")
        wire.send("From: <%s>" % sender, "To: <%s>" % READER, "Subject: %s" % subject, "", "Hello.", ".")
        wire.expect(250)


def ctl(relay, *words):
    status, out, error = relay.ctl(*words)
    check(status == 0, (words, out, error))
    return json.loads(out)


def route_of(relay, name):
    found = [r for r in ctl(relay, "route", "list")["routes"] if r["name"] == name]
    return found[0] if found else None


def reload_with(relay, settings):
    relay.write_config(settings)
    before = relay.log().count("process=core event=reloaded")
    ctl(relay, "reload")
    wait_for("the core to reload", lambda: relay.log().count("process=core event=reloaded") > before)


def route_taken_away(folder):
    """Its items are not forgotten: the route stands and says why, until it is put back."""
    sandbox = Sandbox(folder)
    sandbox.faults({"path": "/email*", "status": 503})
    relay = with_routes(folder, sandbox, shop={"envelope-from": ["@shop.example"]})
    without = {name: value for name, value in relay.settings.items() if name != "route shop"}
    hand_in(relay, "app@shop.example", "stranded")
    relay.await_log("event=waiting ")
    reload_with(relay, without)
    relay.await_log("event=route-gone route=shop items=1 ")
    sandbox.faults()
    route = wait_for("the route in the list", lambda: route_of(relay, "shop"))
    check(route["mode"] == "paused" and "no longer in the configuration" in route["why"], route)
    time.sleep(1.5)
    check(sandbox.messages() == [], "it was sent on a route that is gone")
    # A restart knows it as well, and other routes go on.
    check(relay.stop() == 0, relay.log())
    relay.settings = without
    relay = relay.again(sandbox.port)
    relay.await_log("event=route-gone route=shop items=1 ")
    hand_in(relay, SENDER, "beside it")
    sandbox.await_subjects(["beside it"])
    reload_with(relay, dict(without, **{"route shop": {"envelope-from": ["@shop.example"]}}))
    sandbox.await_subjects(["beside it", "stranded"])
    # Nothing of it is left: now it may go.
    relay.await_sent(2)
    reload_with(relay, without)
    wait_for("the end of the route", lambda: route_of(relay, "shop") is None)


def nobody_waits_for_postmark_at_the_end(folder):
    """A client whose 250 waits for Postmark gets it when the relay is stopped."""
    sandbox = Sandbox(folder)
    sandbox.faults({"path": "/email*", "delay_before_ms": 4000})
    relay = with_routes(folder, sandbox, asked={"envelope-from": ["@shop.example"], "reply": "postmark"})
    with Wire(relay.port) as wire:
        wire.hello()
        wire.ask(250, "MAIL FROM:<app@shop.example>")
        wire.ask(250, "RCPT TO:<%s>" % READER)
        wire.ask(354, "DATA")
        end_mail(wire, "stopped")
        time.sleep(0.5)
        began = time.monotonic()
        relay.signal(signal.SIGTERM)
        text = wire.expect(250)
        check("Postmark has not answered yet" in text, text)
        check(time.monotonic() - began < 3, "it waited for Postmark")
    check(relay.process.wait(60) == 0, relay.log())
    running.remove(relay)
    relay = relay.again(sandbox.port)
    sandbox.await_subjects(["stopped"])


def captured_on_a_route_that_is_gone(folder):
    """What has ended needs no route, until an operator wants it sent after all."""
    sandbox = Sandbox(folder)
    relay = with_routes(folder, sandbox, staging={"envelope-from": ["@shop.example"], "capture": True})
    without = {name: value for name, value in relay.settings.items() if name != "route staging"}
    hand_in(relay, "app@shop.example", "kept")
    item = wait_for("the item", lambda: ctl(relay, "queue", "list", "--state", "captured")["items"])[0]
    check(item["route"] == "staging" and item["state"] == "captured", item)
    reload_with(relay, without)
    check(route_of(relay, "staging") is None, "a route for nothing")
    # "Everything" does not mean it.
    ctl(relay, "queue", "retry", "--all")
    check(len(ctl(relay, "queue", "list", "--state", "captured")["items"]) == 1, "it was retried")
    check("event=route-gone" not in relay.log(), relay.log())
    ctl(relay, "queue", "retry", item["id"])
    relay.await_log("event=route-gone route=staging items=1 ")
    wait_for("the route in the list", lambda: route_of(relay, "staging"))
    reload_with(relay, dict(without, **{"route staging": {"envelope-from": ["@shop.example"]}}))
    sandbox.await_subjects(["kept"])


# --- the sockets of the control plane ----------------------------------------------------------

class Place:
    """A short path for a socket, in a folder that everybody may pass through."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="pmrelay-")
        os.chmod(self.folder, 0o755)
        self.path = os.path.join(self.folder, "control.sock")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def with_control(folder, control, process=None, **more):
    settings = {"process": dict({"fronts": 1}, **(process or {})), "control": control}
    return Relay(folder, 1, settings, **more)


def connects(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        try:
            s.connect(path)
        except OSError:
            return False
        return True


def inode_of(path):
    """Of the listening socket, as /proc/PID/fd names it."""
    with open("/proc/net/unix") as f:
        for line in f:
            fields = line.split()
            if len(fields) > 7 and fields[7] == path and fields[3] == "00010000":
                return "socket:[%s]" % fields[6]
    return None


def has_descriptor(pid, name):
    folder = "/proc/%d/fd" % pid
    for fd in os.listdir(folder):
        try:
            if os.readlink(os.path.join(folder, fd)) == name:
                return True
        except OSError:
            continue
    return False


def ends_with(relay, status):
    found = relay.process.wait(30)
    running.remove(relay)
    check(found == status, "%s instead of %s: %s" % (found, status, relay.log()))


def control_socket_outlives_the_core(folder):
    """Bound by the supervisor, served by the core and by the next one, gone at the end."""
    with Place() as place:
        relay = with_control(folder, {"socket": place.path})
        facts = os.lstat(place.path)
        check(stat.S_ISSOCK(facts.st_mode) and stat.S_IMODE(facts.st_mode) == 0o660, oct(facts.st_mode))
        check((facts.st_uid, facts.st_gid) == (os.geteuid(), os.getegid()), str(facts))
        inode = inode_of(place.path)
        core = role_pid(relay, "core")
        check(has_descriptor(core, inode), "the core has no %s" % inode)
        check(not has_descriptor(role_pid(relay, "front"), inode), "a front has it")
        os.kill(core, signal.SIGKILL)
        check(connects(place.path), "nobody there after the core's death")
        wait_for("another core", lambda: role_pid(relay, "core") not in (None, core))
        wait_for("the socket in it", lambda: has_descriptor(role_pid(relay, "core"), inode))
        check(inode_of(place.path) == inode, "another socket")
        check(relay.stop() == 0, relay.log())
        check(not os.path.lexists(place.path), "the file was left behind")


def control_socket_in_the_way(folder):
    """A stale one is replaced; a live one and what is no socket stay, and are errors."""
    with Place() as place:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(place.path)
        relay = with_control(folder, {"socket": place.path})
        check(connects(place.path), "the stale one was not replaced")
        second = os.path.join(folder, "second")
        os.mkdir(second)
        other = with_control(second, {"socket": place.path}, wait=False)
        ends_with(other, 69)
        check("event=control-socket" in other.log(), other.log())
        check(connects(place.path), "the first one's was taken away")
        check(relay.stop() == 0, relay.log())
        with open(place.path, "w") as f:
            f.write("precious")
        ends_with(with_control(folder, {"socket": place.path}, wait=False), 69)
        with open(place.path) as f:
            check(f.read() == "precious", "a file was removed")


def control_socket_of_the_daemons_user(folder):
    """Root binds it for the user and the group of the settings, in a folder that it makes."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    need_open_build()
    with Place() as place:
        path = os.path.join(place.folder, "run", "control.sock")
        spool = os.path.join(place.folder, "spool")
        group = grp.getgrgid(1).gr_name
        relay = with_control(folder, {"socket": path, "group": group}, {"user": "nobody"},
                             environment={"PMRELAY_SPOOL_FOLDER": spool})
        facts = os.lstat(path)
        check(stat.S_IMODE(facts.st_mode) == 0o660, oct(facts.st_mode))
        check((facts.st_uid, facts.st_gid) == (pwd.getpwnam("nobody").pw_uid, 1), str(facts))
        check(os.stat(os.path.dirname(path)).st_uid == facts.st_uid, "the folder is not the user's")
        check(has_descriptor(role_pid(relay, "core"), inode_of(path)), "the core does not have it")
        check(relay.stop() == 0, relay.log())
        check(not os.path.lexists(path), "the file was left behind")
        # In a folder of root's the user may not bind; root does.
        root_path = os.path.join(place.folder, "root.sock")
        relay = with_control(folder, {"socket": root_path}, {"user": "nobody"},
                             environment={"PMRELAY_SPOOL_FOLDER": spool})
        facts = os.lstat(root_path)
        check(stat.S_IMODE(facts.st_mode) == 0o660, oct(facts.st_mode))
        check(facts.st_uid == pwd.getpwnam("nobody").pw_uid, str(facts))
        check(connects(root_path), "nobody there")
        check(relay.stop() == 0, relay.log())
        relay = with_control(folder, {"socket": place.path, "group": "no-such-group"}, wait=False)
        ends_with(relay, 69)
        check("no such group" in relay.log(), relay.log())


def mail_flows_without_a_control_socket(folder):
    """The preset path is nobody's wish: where it cannot be had the relay runs without."""
    need_open_build()
    nobody = pwd.getpwnam("nobody")

    def become_nobody():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)

    pid = os.fork()
    if pid == 0:
        become_nobody()
        reachable = os.access(program("pmrelayd"), os.X_OK)
        os._exit(0 if reachable and not os.access("/run/pmrelay", os.W_OK) else 1)
    if os.waitpid(pid, 0)[1] != 0:
        raise Skip("the program is out of reach for others, or they may write to /run/pmrelay")
    with Place() as place:
        path = os.path.join(place.folder, "pmrelay.conf")
        with open(path, "w") as f:
            f.write("postmark { token = t }\n")
        os.chmod(path, 0o644)
        for name in ("log", "spool"):
            os.mkdir(os.path.join(place.folder, name))
            os.chown(os.path.join(place.folder, name), nobody.pw_uid if os.geteuid() == 0 else -1, -1)
        environment = {"PMRELAY_SMTP_LISTEN": "127.0.0.1:%d" % free_port(),
                       "PMRELAY_PROCESS_USER": "", "PMRELAY_PROCESS_FRONTS": "1",
                       "PMRELAY_SPOOL_FOLDER": os.path.join(place.folder, "spool"),
                       "PMRELAY_SPOOL_MIN_FREE": "0"}
        relay = Program("pmrelayd", [program("pmrelayd"), "-f", "-c", path], folder, environment,
                        become_nobody)
        relay.await_text(relay.log, "event=ready")
        check("level=warning process=supervisor event=control-socket" in relay.log(), relay.log())
        check(relay.stop() == 0, relay.log())
        # Another path is somebody's wish, and an error.
        environment["PMRELAY_CONTROL_SOCKET"] = "/run/pmrelay/other.sock"
        relay = Program("pmrelayd", [program("pmrelayd"), "-f", "-c", path], folder, environment,
                        become_nobody)
        ends_with(relay, 69)


def control_over_tcp(folder):
    """Only with all three files, and on an address that is free."""
    with Place() as place:
        files = {name: os.path.join(place.folder, name)
                 for name in ("certificate-file", "key-file", "client-ca-file")}
        address = "127.0.0.1:%d" % free_port()
        half = dict(files, socket="", listen=address, admins=["ann"])
        del half["client-ca-file"]
        relay = with_control(folder, half, wait=False)
        ends_with(relay, 78)
        check("client-ca-file" in relay.log(), relay.log())
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            full = dict(files, socket=place.path, admins=["ann"],
                        listen="127.0.0.1:%d" % taken.getsockname()[1])
            relay = with_control(folder, full, wait=False)
            ends_with(relay, 69)
            check("event=control-listen" in relay.log(), relay.log())
            check(not os.path.lexists(place.path), "the socket was left behind")


need("pmrelayd", "pmrelay-sandbox")
run([late_word_of_a_dead_front, core_dies_while_fronts_drain, supervisor_dies, secrets_stay_inside,
     route_taken_away, captured_on_a_route_that_is_gone,
     nobody_waits_for_postmark_at_the_end, control_socket_outlives_the_core, control_socket_in_the_way,
     control_socket_of_the_daemons_user, mail_flows_without_a_control_socket, control_over_tcp])
