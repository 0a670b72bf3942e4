/** The scripts beside the tool, as they do their work. */

/** `ipvsadm-save [-n]` */
export const SAVE = `#!/bin/bash
# Prints the rules, for ipvsadm-restore.
numeric=
for word in "$@"; do
  case $word in
    -n) numeric=-n ;;
    -*)
      echo "$(basename "$0"): Script to save the IPVS table to stdout." >&2
      echo "   With the -n option, prints out the table in numeric format." >&2
      exit 1
      ;;
  esac
done
ipvsadm -S $numeric
`

/** `ipvsadm-restore` */
export const RESTORE = `#!/bin/bash
# Takes the rules that stand on its standard input, but for comments, in place of those that there are.
rules=$(grep -v '^#')
ipvsadm -C
echo "$rules" | ipvsadm -R
`
