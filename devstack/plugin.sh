# shellcheck shell=bash
# A plugin of devstack: several backup drivers for its cinder-backup. See docs/install/devstack.md.
# devstack sources this file at each phase, and defines the functions and variables that are used here.
# shellcheck disable=SC2154

# Save trace setting
_XTRACE_BACKUP_DISPATCH=$(set +o | grep xtrace)
set +o xtrace

BACKUP_DISPATCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

function install_backup_dispatch {
    setup_develop "$BACKUP_DISPATCH_DIR" "$BACKUP_DISPATCH_EXTRAS"
}

# backup_dispatch_backends DRIVER - the backends' names, the driver that devstack has configured first
function backup_dispatch_backends {
    local driver=$1
    if [[ -n "$BACKUP_DISPATCH_BACKENDS" ]]; then
        echo "$BACKUP_DISPATCH_BACKENDS"
    elif [[ "$driver" =~ ^cinder\.backup\.drivers\.([a-z0-9]+) && "${BASH_REMATCH[1]}" != posix ]]; then
        echo "${BASH_REMATCH[1]},posix"
    else
        echo posix
    fi
}

function configure_backup_dispatch {
    local backends
    backends=$(backup_dispatch_backends "$(iniget "$CINDER_CONF" DEFAULT backup_driver)")
    iniset "$CINDER_CONF" DEFAULT backup_driver backup_dispatch.driver.BackupDispatcher
    iniset "$CINDER_CONF" DEFAULT enabled_backup_backends "$backends"
    if [[ ",${backends// /}," == *,posix,* ]]; then
        sudo install -d -o "$STACK_USER" -m 0750 "$BACKUP_DISPATCH_POSIX_PATH"
        iniset "$CINDER_CONF" DEFAULT backup_posix_path "$BACKUP_DISPATCH_POSIX_PATH"
    fi
}

function check_backup_dispatch {
    local code=0
    "$CINDER_BIN_DIR/backup-dispatch" check || code=$?
    # 1 and 3: a backend is down, or has not answered. That is for whoever configured it to mend.
    if (( code == 2 || code > 3 )); then
        die $LINENO "backup-dispatch check has ended with $code"
    fi
}

function cleanup_backup_dispatch {
    # A folder elsewhere was there before devstack.
    if [[ "$BACKUP_DISPATCH_POSIX_PATH" == "$DATA_DIR"/* ]]; then
        sudo rm -rf "$BACKUP_DISPATCH_POSIX_PATH"
    fi
}

if is_service_enabled c-bak; then
    if [[ "$1" == stack && "$2" == install ]]; then
        echo_summary "Installing backup-dispatch"
        install_backup_dispatch
    elif [[ "$1" == stack && "$2" == post-config ]]; then
        echo_summary "Configuring backup-dispatch"
        configure_backup_dispatch
    elif [[ "$1" == stack && "$2" == extra ]]; then
        echo_summary "Checking the backends of backup-dispatch"
        check_backup_dispatch
    elif [[ "$1" == clean ]]; then
        cleanup_backup_dispatch
    fi
    # unstack.sh stops c-bak; nothing else runs.
fi

# Restore xtrace
$_XTRACE_BACKUP_DISPATCH
