#!/bin/sh
# setup.sh PYTHON VENV REQUIREMENT [TORCH]: make a virtual environment and install this project into it.
# uv does the work (seconds instead of minutes) and is itself installed into the environment; PyTorch goes through pip.
set -eu
python=$1 venv=$2 requirement=$3 torch=${4:-}

command -v "$python" >/dev/null 2>&1 || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=..." >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed, $("$python" -V) is $(command -v "$python"): name another with make PYTHON=python3.12" >&2; exit 1; }
"$python" -c 'import venv, ensurepip' 2>/dev/null || {
    echo "This Python has no venv. Install it with:  sudo apt-get install -y python3-venv" >&2; exit 1; }

mark="$venv/.installed"
want="$requirement $torch $(cksum pyproject.toml)"
if [ -f "$mark" ] && [ "$(cat "$mark")" = "$want" ]; then exit 0; fi
echo "Setting up $venv ..."
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
[ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install -q --disable-pip-version-check uv
echo "Installing the project and what it needs ..."
"$venv/bin/uv" pip install -q --python "$venv/bin/python" -e "$requirement"
if [ -n "$torch" ]; then
    echo "Installing $torch (this is large) ..."
    "$venv/bin/python" -m pip install -q --disable-pip-version-check "$torch"
fi
printf '%s' "$want" > "$mark"
echo "Done: $venv/bin/undeterred and $venv/bin/det are ready"
