"""The start of a shell's sshd, which needs no rights beyond those of its own user."""

START = r"""
sshd=$(command -v sshd || for path in /usr/sbin /usr/local/sbin /sbin; do
    [ ! -x "$path/sshd" ] || { echo "$path/sshd"; break; }
done)
if [ -z "$sshd" ]; then
    echo "ERROR: there is no sshd on this machine; install it (the package openssh-server) to use shells" >&2
    exit 127
fi
dir="$DET_RUN_DIR/ssh"
umask 077
mkdir -p "$dir"
[ "$(id -u)" -ne 0 ] || mkdir -p -m 755 /run/sshd
rm -f "$dir/host" "$dir/host.pub"
ssh-keygen -q -t ed25519 -N "" -f "$dir/host" || exit 1
printf '%s\n' "$SHELL_PUBLIC_KEY" > "$dir/authorized_keys"
unset SHELL_PUBLIC_KEY
export TASK_DIR="$PWD"
export -p > "$dir/environment"
cat > "$dir/session" <<'END'
terminal=$TERM
. "${0%/*}/environment"
export TERM="$terminal"
cd "$TASK_DIR" || exit 1
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then
    exec "${SHELL:-/bin/sh}" -c "$SSH_ORIGINAL_COMMAND"
fi
exec "${SHELL:-/bin/sh}"
END
cat > "$dir/sshd_config" <<END
ListenAddress 127.0.0.1
HostKey "$dir/host"
AuthorizedKeysFile "$dir/authorized_keys"
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
ForceCommand /bin/sh "$dir/session"
END
for sftp in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh /usr/libexec; do
    [ ! -x "$sftp/sftp-server" ] || { echo "Subsystem sftp $sftp/sftp-server" >> "$dir/sshd_config"; break; }
done
exec "$sshd" -D -e -f "$dir/sshd_config" -p "$SHELL_PORT"
"""
"""Shell text: makes a host key, lets in the key of `SHELL_PUBLIC_KEY`, and becomes sshd on `SHELL_PORT` of this machine.

What is run inside a session sees the task's own variables and begins in the task's folder.
"""
