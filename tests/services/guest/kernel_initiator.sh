# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Run inside the guest: the daemons that the kernel's initiator needs, then the tests.
# PYTHON, PROJECT and MULTIPATH (multipath-tools, unpacked) are set above.
for module in crc32c_generic iscsi_tcp sd_mod dm-mod dm-multipath dm-round-robin dm-service-time; do
  busybox modprobe "$module" 2>/dev/null
done
ip link set lo up
echo InitiatorName=iqn.1993-08.org.debian:01:guest >/etc/iscsi/initiatorname.iscsi
printf '%s\n' 'node.startup = manual' 'node.session.initial_login_retry_max = 1' \
  'node.session.timeo.replacement_timeout = 5' >/etc/iscsi/iscsid.conf
tar -C "$MULTIPATH" -cf - . | tar -C / -xf - --keep-directory-symlink
printf 'defaults {\n user_friendly_names no\n find_multipaths no\n}\nblacklist {\n devnode "^(ram|loop|ubd)"\n}\n' \
  >/etc/multipath.conf
iscsid -f >/mnt/iscsid.log 2>&1 &
/lib/systemd/systemd-udevd --daemon 2>/mnt/udevd.log
multipathd -d >/mnt/multipathd.log 2>&1 &
cd "$PROJECT" || exit 9
PATH=$(dirname "$PYTHON"):$PATH PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -u -m pytest -v -p no:cacheprovider \
  --durations=0 --durations-min=5 tests/services/guest/kernel_initiator.py
