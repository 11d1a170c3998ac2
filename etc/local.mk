# What an installation needs besides the programs.  An existing pmrelay.conf is left alone; the
# sample lies beside the documents in any case.
EXTRA_DIST += etc/pmrelay.conf etc/pmrelay.service.in etc/pmrelay.sysusers etc/pmrelay.tmpfiles.in

systemddir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
nodist_systemd_DATA = etc/pmrelay.service
CLEANFILES += etc/pmrelay.service etc/pmrelay.tmpfiles etc/pmrelay.conf.sample

FILL_IN = $(AM_V_GEN)$(MKDIR_P) etc && $(SED) \
	-e 's|@sbindir[@]|$(sbindir)|g' -e 's|@localstatedir[@]|$(localstatedir)|g' \
	-e 's|"/var/|"$(localstatedir)/|g'

all-local: etc/pmrelay.service etc/pmrelay.tmpfiles etc/pmrelay.conf.sample
etc/pmrelay.service: etc/pmrelay.service.in Makefile
	$(FILL_IN) $(srcdir)/etc/pmrelay.service.in >$@
etc/pmrelay.tmpfiles: etc/pmrelay.tmpfiles.in Makefile
	$(FILL_IN) $(srcdir)/etc/pmrelay.tmpfiles.in >$@
etc/pmrelay.conf.sample: etc/pmrelay.conf Makefile
	$(FILL_IN) $(srcdir)/etc/pmrelay.conf >$@

install-data-local: etc/pmrelay.tmpfiles etc/pmrelay.conf.sample
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)' \
		'$(DESTDIR)$(docdir)' '$(DESTDIR)$(sysconfdir)'
	$(INSTALL_DATA) $(srcdir)/etc/pmrelay.sysusers '$(DESTDIR)$(sysusersdir)/pmrelay.conf'
	$(INSTALL_DATA) etc/pmrelay.tmpfiles '$(DESTDIR)$(tmpfilesdir)/pmrelay.conf'
	$(INSTALL_DATA) etc/pmrelay.conf.sample '$(DESTDIR)$(docdir)/pmrelay.conf'
	test -e '$(DESTDIR)$(sysconfdir)/pmrelay.conf' || \
		$(INSTALL_DATA) etc/pmrelay.conf.sample '$(DESTDIR)$(sysconfdir)/pmrelay.conf'

# The configuration goes only while it is the sample still.
uninstall-local:
	if cmp -s '$(DESTDIR)$(docdir)/pmrelay.conf' '$(DESTDIR)$(sysconfdir)/pmrelay.conf'; then \
		rm -f '$(DESTDIR)$(sysconfdir)/pmrelay.conf'; \
	fi
	rm -f '$(DESTDIR)$(sysusersdir)/pmrelay.conf' '$(DESTDIR)$(tmpfilesdir)/pmrelay.conf' \
		'$(DESTDIR)$(docdir)/pmrelay.conf'
