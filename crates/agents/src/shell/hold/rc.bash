# The loop by which bash takes messages. It runs as PROMPT_COMMAND, at the top level and in no function, so that what a
# message declares is global and stays. IN and OUT are pipes of the runner, opened for a moment each time: no child ever
# inherits them, and no `exec 5>&-` can close them. @NONCE@ marks where the output of a message begins and ends.
#
# Nothing here may depend on what a message can change: options are set aside (`local -`), builtins are called as such,
# no field splitting, no redirection of the shell itself, and the functions are read-only. There is no `x=(...)` either:
# an interrupt that hits one makes bash 5.2 believe that its input has ended.
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  printf 'old %s\n' "$BASH_VERSION" >@OUT@
  exit 1
fi
unset HISTFILE PROMPT_COMMAND PS0
shopt -s execfail
# Files that whoever started the daemon had open are nobody's here.
for __adj_fd in /proc/$$/fd/*; do
  case ${__adj_fd##*/} in 0 | 1 | 2 | 255) ;; *) eval "exec ${__adj_fd##*/}>&-" ;; esac
done
unset __adj_fd
PS1='\w \$ '
__adj_id= __adj_last= __adj_left= __adj_began= __adj_status=0 __adj_draft= __adj_point=0

# Tells how the last message ended, then waits for the next. Fails when bash is to show its prompt.
__adj_next() {
  local -
  set +aevxufkCT
  local status=$1 line word path remark=
  local -a lines
  if [[ -n $__adj_id ]]; then
    # A message that an interrupt hit before its first command has begun and ended here.
    [[ -n $__adj_began ]] || { __adj_say "start $__adj_id"; __adj_mark "s;$__adj_id"; status=130; }
    remark=$__adj_left
    [[ -t 1 ]] || remark+=o
    __adj_mark "e;$__adj_id"
    __adj_say "end $__adj_id $status $remark"
    __adj_last=$__adj_id __adj_id= __adj_left=
  fi
  if [[ -n $__adj_at_prompt ]]; then
    __adj_mark 'e;0'
    __adj_at_prompt=
  fi
  __adj_status=$status
  # Commands that have ended are forgotten here, as they are at a prompt.
  builtin jobs >/dev/null 2>&1
  while builtin :; do
    __adj_say "idle $status"
    builtin mapfile -t -n 1 lines <@IN@
    # Without a runner there is no terminal and nobody to talk to.
    [[ -n ${lines[0]-} ]] || builtin exit 129
    line=${lines[0]}
    word=${line%% *} line=${line#* } path=${line#* }
    case $word in
      run)
        [[ ${line%% *} != "$__adj_last" ]] || builtin continue
        __adj_began=
        builtin mapfile -d '' -t __adj_script <"$path" || builtin continue
        __adj_script[0]=$'{ __adj_begin && :; } 2>/dev/null\n'${__adj_script[0]-}
        __adj_id=${line%% *}
        builtin return 0
        ;;
      prompt)
        __adj_at_prompt=1
        __adj_loop_back
        builtin return 1
        ;;
    esac
  done
}

# The first command of every message: from here on it is the message's own output. Its status is the one that the
# message before left, so that `$?` goes on as at a prompt.
__adj_begin() {
  local -
  set +aevxufkCT
  builtin unset '__adj_script[0]'
  __adj_say "start $__adj_id"
  __adj_mark "s;$__adj_id"
  __adj_began=1
  builtin return "$__adj_status"
}

# The loop was left. By `prompt` that is right; by a message's `break` it is not, and the runner wakes it again.
__adj_fell() {
  local status=$?
  local -
  set +aevxufkCT
  if [[ -z $__adj_at_prompt ]]; then
    # What bash shows from here on is its prompt, and nothing that the message has printed.
    [[ -z $__adj_id ]] || { __adj_mark "e;$__adj_id"; __adj_left=b; }
    __adj_say fell
  fi
  builtin return "$status"
}

# Bound to a key that only the runner types: saves what a person has half typed, and makes sure that the loop comes
# back.
__adj_wake() {
  local -
  set +aevxufkCT
  __adj_draft=$READLINE_LINE __adj_point=$READLINE_POINT
  READLINE_LINE= READLINE_POINT=0
  __adj_loop_back
}

# Bound to another such key: puts back what the person had half typed.
__adj_restore() {
  [[ -n $__adj_draft ]] || builtin return 0
  READLINE_LINE=$__adj_draft$READLINE_LINE READLINE_POINT=$((__adj_point + READLINE_POINT))
  __adj_draft=
}

# What a message or a person has put into these two stays, behind what belongs there.
__adj_loop_back() {
  [[ ${PROMPT_COMMAND-} == "$__adj_loop"* ]] || PROMPT_COMMAND=$__adj_loop${PROMPT_COMMAND:+$'\n'$PROMPT_COMMAND}
  [[ ${PS0-} == "$__adj_ps0"* ]] || PS0=$__adj_ps0${PS0-}
}

__adj_say() { builtin printf '%s\n' "$1" >@OUT@; }
__adj_mark() { builtin printf '\033]@NONCE@;%s\007' "$1" >/dev/tty; } 2>/dev/null

readonly -f __adj_next __adj_begin __adj_fell __adj_wake __adj_restore __adj_loop_back __adj_say __adj_mark
__adj_loop='while { __adj_next "$?"; } 2>/dev/null; do \eval -- "${__adj_script[0]}"; done; { __adj_fell; } 2>/dev/null'
__adj_ps0=$'\e]@NONCE@;p\a'
__adj_at_prompt=
readonly __adj_loop __adj_ps0
__adj_loop_back
for __adj_map in emacs-standard vi-insert vi-command; do
  bind -m $__adj_map -x '"\e[99971;1~": __adj_wake'
  bind -m $__adj_map -x '"\e[99971;2~": __adj_restore'
  bind -m $__adj_map '"\e[99971;3~": accept-line'
done
unset __adj_map
@POSIX@
__adj_say ready
