# shellcheck shell=bash disable=SC2034
# What setup and teardown agree on: the names that setup makes on an Incus
# server, the marks by which teardown knows them again, and the daemon that
# setup started. Sourced by both; does nothing by itself.

# Where setup keeps its daemon's pid and log; never in the checkout.
state=${PIKACI_SETUP_DIR:-/var/lib/pikaci-setup}

# A pool of our own, not `default`: a server that has a `default` pool has it
# from somebody else, and teardown must not wonder whose it is.
pool=pikaci
alias=pikaci/dev

# The runner file that setup writes where there is none, and its copy, by which
# teardown sees whether somebody has changed it since.
runner_file=/etc/pikaci/runner.json
runner_copy=$state/runner.json

# The mark on everything made here; the value says what it was made as.
mark=user.pikaci.setup

export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
export INCUS_CONF=$state/client # not the caller's: its default remote may be another machine
unset INCUS_PROJECT INCUS_REMOTE

# say STEP TEXT reports one step that is done.
say() {
  printf '%-9s %s\n' "$1:" "$2"
}

# die TEXT... ends the script with an error and, a line each, hints.
die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit 1
}

# incus_answers tells whether a daemon answers on the local socket; where systemd
# listens there, asking starts one.
incus_answers() {
  timeout 60 incus query /1.0 >/dev/null 2>&1
}

# process_start PID prints when a live process was started, in ticks since boot:
# by it a recorded pid is told from a later process of the same number.
process_start() {
  local stat field
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  read -ra field <<<"${stat##*) }" # from the third on: the second may hold blanks
  [[ ${field[0]} != Z ]] || return 1
  echo "${field[19]}"
}

# own_daemon prints the pid of the daemon that setup started, if it still runs.
own_daemon() {
  local pid started
  { read -r pid started <"$state/incusd.pid"; } 2>/dev/null || return 1
  [[ $(process_start "$pid") == "$started" ]] || return 1
  echo "$pid"
}

# alias_url is where the server keeps our alias.
alias_url="/1.0/images/aliases/${alias//\//%2F}?project=default"

# aliased_image prints the image that our alias names, if there is one.
aliased_image() {
  { incus query "$alias_url" 2>/dev/null || echo '{}'; } | jq -r '.target // ""'
}
