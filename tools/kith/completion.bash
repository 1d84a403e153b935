# bash completion for kith. Ids and swarms are asked of the running node; none is started for that.

_kith_commands='start stop status doctor peers node swarm join share unshare moved verify fetch cat cancel
  list show limit quota gc config'
_kith_swarm_commands='create list members invite leave'
_kith_common='--home --json --quiet --verbose --no-color --version --help'

# _kith_options COMMAND: what it takes besides the common options.
_kith_options() {
  case $1 in
    node | start) echo --listen --advertise --bootstrap --limit ;;
    join) echo --name --timeout ;;
    share) echo --swarm --name --exclude --skip-bad --chunking --private --detach --limit ;;
    cat) echo --offset --length --limit ;;
    fetch) echo --output --as --path --reuse --replace --safe-links --wait --detach --limit ;;
    limit) echo --up --down --swarm --peer --lan-exempt ;;
    gc) echo --dry-run ;;
    'swarm invite') echo --swarm --role --uses --expires --qr --detach ;;
    'swarm members') echo --swarm ;;
    'swarm leave') echo --swarm --force ;;
  esac
}

# _kith_ask KEY COMMAND…: the values of that key in its answer; nothing where no node runs.
_kith_ask() {
  local key=$1
  shift
  kith status "${_kith_home[@]}" >/dev/null 2>&1 </dev/null || return
  kith "$@" "${_kith_home[@]}" --json 2>/dev/null </dev/null |
    grep -oE "\"$key\":\"[^\"\\\\]+\"" | sed 's/.*:"//; s/"$//' | sort -u
}

# _kith_reply WORDS: those of a list that stands in this file.
_kith_reply() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

# _kith_names LINES: names that others may have chosen. Nothing in them is expanded (compgen would), and
# each is offered quoted, so that it stays one word and no command. Behind an opened quote, where that
# would be wrong, nothing is offered.
_kith_names() {
  local name
  [[ $cur == [\'\"]* ]] && return
  while IFS= read -r name; do
    [ -n "$name" ] && printf -v name %q "$name" && [[ $name == "$cur"* ]] && COMPREPLY+=("$name")
  done <<<"$1"
}

_kith_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

_kith_takes_value() {
  case $1 in
    --home | -o | --output | --swarm | --chunking | --role | --listen | --advertise) ;;
    --bootstrap | --limit | --exclude | --name | --as | --uses | --expires | --timeout | --reuse) ;;
    --peer | --lan-exempt | --path | --offset | --length) ;;
    *) return 1 ;;
  esac
}

# The values of an option, where they can be known.
_kith_value() {
  case $1 in
    --home | -o | --output) _kith_files -d ;;
    --reuse) _kith_files -f ;;
    --lan-exempt) _kith_reply 'yes no' ;;
    --swarm) _kith_names "$(_kith_ask name swarm list)" ;;
    --chunking) _kith_reply 'cdc fixed' ;;
    --role) _kith_reply 'admin member reader' ;;
  esac
}

_kith() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i
  local _kith_home=() positional=0
  COMPREPLY=()

  # The command, its home, and how many words it has got that are no options.
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --home) _kith_home=(--home "${COMP_WORDS[++i]}") ;;
      -*) if _kith_takes_value "${COMP_WORDS[i]}"; then i=$((i + 1)); fi ;;
      *)
        if [ -z "$command" ] || [ "$command" = swarm ]; then
          command=${command:+$command }${COMP_WORDS[i]}
        else
          positional=$((positional + 1))
        fi ;;
    esac
  done

  if _kith_takes_value "$prev"; then
    _kith_value "$prev"
    return
  fi
  if [[ $cur == -* ]]; then
    _kith_reply "$_kith_common $(_kith_options "$command")"
    return
  fi
  case $command in
    '') _kith_reply "$_kith_commands" ;;
    swarm) _kith_reply "$_kith_swarm_commands" ;;
    share) _kith_files -f ;;
    moved) if [ "$positional" = 0 ]; then _kith_names "$(_kith_ask id list)"; else _kith_files -f; fi ;;
    show | verify | unshare | cancel) _kith_names "$(_kith_ask id list)" ;;
  esac
}

complete -F _kith kith
