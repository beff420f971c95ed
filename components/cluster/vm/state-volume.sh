#!/bin/bash
# Mounts this machine's state volume. A volume is only formatted when two independent looks find nothing on it: a
# machine that is made anew gets the old volume, with the data.
# Usage: state-volume.sh [ROOT]   (ROOT stands before every path; the tests use it)
set -euo pipefail
root=${1:-}
volume=$(<"$root/etc/cais/state-volume")
target=$root/var/lib/cais

if mountpoint --quiet "$target"; then
  exit 0
fi

# virtio-blk shows the first 20 characters of the volume's id as serial number, virtio-scsi all of it.
shopt -s nullglob
device=
for _ in {1..120}; do
  for link in "$root"/dev/disk/by-id/*"${volume:0:20}"*; do
    case $link in *-part[0-9]*) ;; *) device=$(readlink --canonicalize "$link") ;; esac
  done
  if [[ -n $device ]]; then
    break
  fi
  sleep 1
done
if [[ -z $device ]]; then
  echo "state-volume: volume $volume is not there after 2 minutes; is it attached to this server?" >&2
  exit 1
fi

# blkid: 2 = nothing recognised; any other failure (8 = ambivalent) is no proof that the volume is blank.
status=0
blkid --probe "$device" >/dev/null || status=$?
if ((status == 2)); then
  signatures=$(wipefs --no-act --parsable "$device")
  if [[ -n $signatures ]]; then
    echo "state-volume: $device holds something unknown; it is left alone" >&2
    exit 1
  fi
  mkfs.ext4 -q -L cais-state "$device"
elif ((status != 0)); then
  echo "state-volume: cannot tell what is on $device (blkid says $status); it is left alone" >&2
  exit 1
fi

mkdir --parents "$target"
mount -o nodev,nosuid,noexec "$device" "$target"
# The volume may have grown since it was formatted; on one that did not, this does nothing.
resize2fs "$device"
