# bash completion for kith                                                  -*- shell-script -*-
# IDs and swarm names come from the running node, if there is one; kith never starts for a completion.

_kith_commands='start stop status doctor node swarm join share fetch list show verify unshare moved
  cancel peers config'
_kith_swarm_commands='create list members invite remove leave log rotate'
_kith_global='--home --swarm --json --quiet --verbose --no-color --help --version'

# The options of one command, besides the global ones.
_kith_options() {
  case $1 in
    node | start) echo --listen --advertise --bootstrap --limit ;;
    share) echo --exclude --name --skip-bad --private --chunking --detach ;;
    fetch) echo -o --output --as --replace --wait --safe-links --detach ;;
    invite) echo --uses --expires --role --detach ;;
  esac
}

# What stands first in every line of `kith …` that is a lower-case word of at least eight characters:
# the ids in its tables.
_kith_ids() {
  kith "$@" --no-color 2>/dev/null </dev/null | grep -oE '^[a-z0-9]{8,}'
}

_kith() {
  local cur prev words cword
  _init_completion || return

  case $prev in
    --home | -o | --output)
      _filedir -d
      return ;;
    --swarm)
      mapfile -t COMPREPLY < <(compgen -W "$(kith swarm list --no-color 2>/dev/null </dev/null |
        awk '{print $1}')" -- "$cur")
      return ;;
    --chunking)
      mapfile -t COMPREPLY < <(compgen -W 'content fixed' -- "$cur")
      return ;;
    --role)
      mapfile -t COMPREPLY < <(compgen -W 'admin member reader mirror' -- "$cur")
      return ;;
    --listen | --advertise | --bootstrap | --limit | --exclude | --name | --as | --uses | --expires)
      return ;;
  esac

  # The command and, for `swarm`, its second word: the first words that are no options.
  local command='' second='' i
  for ((i = 1; i < cword; i++)); do
    case ${words[i]} in
      --home | --swarm) ((i++)) ;;
      -*) ;;
      *)
        if [ -z "$command" ]; then
          command=${words[i]}
        elif [ -z "$second" ]; then
          second=${words[i]}
        fi ;;
    esac
  done

  if [[ $cur == -* ]]; then
    local key=$command
    [ "$command" = swarm ] && key=$second
    mapfile -t COMPREPLY < <(compgen -W "$_kith_global $(_kith_options "$key")" -- "$cur")
    return
  fi
  case $command in
    '') mapfile -t COMPREPLY < <(compgen -W "$_kith_commands" -- "$cur") ;;
    swarm)
      case $second in
        '') mapfile -t COMPREPLY < <(compgen -W "$_kith_swarm_commands" -- "$cur") ;;
        remove) mapfile -t COMPREPLY < <(compgen -W "$(_kith_ids swarm members)" -- "$cur") ;;
      esac ;;
    share) _filedir ;;
    show | verify | unshare | cancel)
      mapfile -t COMPREPLY < <(compgen -W "$(_kith_ids list)" -- "$cur") ;;
    moved)
      if [ -n "$second" ]; then
        _filedir
      else
        mapfile -t COMPREPLY < <(compgen -W "$(_kith_ids list)" -- "$cur")
      fi ;;
  esac
}

complete -F _kith kith
