# SPDX-License-Identifier: Apache-2.0
# AppArmor profile of virtrigaud-exporter, beside the sandbox of the unit. In complain mode it denies nothing and logs what it would
# deny. As /etc/apparmor.d/virtrigaud-exporter: apparmor_parser -r /etc/apparmor.d/virtrigaud-exporter. When the log stays
# empty, remove flags=(complain) and load it again. Other paths of your configuration go to /etc/apparmor.d/local/virtrigaud-exporter.
abi <abi/3.0>,
include <tunables/global>

profile virtrigaud-exporter /usr/{,local/}sbin/virtrigaud-exporter flags=(complain) {
  include <abstractions/base>
  # Groups of sockets and of `sources`, addresses with names.
  include <abstractions/nameservice>
  include <abstractions/openssl>
  include <abstractions/ssl_certs>

  # HTTP. Events, the journal and systemd's notifications are Unix sockets.
  network inet stream,
  network inet6 stream,
  unix (create, listen, accept, bind, getattr, getopt, setopt, receive, send, shutdown) type=stream,
  unix (create, bind, getattr, getopt, setopt, receive, send) type=dgram,

  /usr/{,local/}sbin/virtrigaud-exporter mr,
  /etc/virtrigaud-exporter/ r,
  /etc/virtrigaud-exporter/** r,
  /run/virtrigaud-exporter/ r,
  /run/virtrigaud-exporter/*.sock rw,
  /var/lib/virtrigaud-exporter/ r,
  /var/lib/virtrigaud-exporter/** rwk,
  /run/systemd/notify w,
  /run/systemd/journal/socket w,
  /dev/null rw,

  # Itself, the processes that push (their user, group, unit and statistics), the boot, the limit of its memory.
  @{PROC}/@{pid}/ r,
  @{PROC}/@{pid}/{cgroup,stat,statm,status} r,
  owner @{PROC}/@{pid}/fd/ r,
  @{PROC}/stat r,
  @{PROC}/sys/kernel/random/boot_id r,
  @{sys}/fs/cgroup/ r,
  @{sys}/fs/cgroup/** r,
  ptrace (read),

  # --reload asks and is answered; a manager ends it.
  signal (send, receive) set=(hup, urg) peer=virtrigaud-exporter,
  signal (receive) peer=unconfined,

  include if exists <local/virtrigaud-exporter>
}
