# shellcheck shell=bash disable=SC2154 # $work and $root are scripts/bench's
# The compile part of scripts/bench, which sources it: $work, $root, measure and
# ratio are its. Every figure is a ratio against stock cue on the same files.

# compile_of DIR [FLAG] prints the command that compiles the lanes below a folder.
compile_of() { echo "$work/pikaci compile ${2-} --lanes $1/lanes -o $work/plan.json"; }

# memory_ratio DIR TEXT prints the peak memory of a compile by that of cue.
memory_ratio() {
  local ours=() theirs=()
  for _ in 1 2 3; do
    # shellcheck disable=SC2046 # words
    ours+=("$(cd "$1" && "$work/peer" memory $(compile_of "$1" --no-cache))")
    theirs+=("$(cd "$1" && "$work/peer" memory "$work/cue" export ./lanes -o "$work/export.json" -f)")
  done
  awk -v a="$(middle "${ours[@]}")" -v b="$(middle "${theirs[@]}")" -v text="$2" \
    'BEGIN { printf "%s: %.2f (%d MiB by %d MiB; at most 1)\n", text, a / b, a / 1024, b / 1024 }'
}

middle() { printf '%s\n' "$@" | sort -n | sed -n 2p; }

bench_compile() {
  local shape n
  echo "compile: warm file cache, by cue export of the same files"
  runs=60 measure own "$(compile_of "$root" --no-cache)" "$work/cue export ./lanes"
  ratio own 0 1 0.85 "  this repository's lanes, time"
  for shape in file-each one-file; do
    for n in 1000 5000; do
      go run ./internal/manylanes/writelanes "$shape" "$n" "$work/$shape-$n"
    done
    (
      cd "$work/$shape-1000" || exit
      runs=10 measure "$shape" "$(compile_of "$PWD" --no-cache)" "$work/cue export ./lanes"
      ratio "$shape" 0 1 0.5 "  1,000 lanes, $shape, time"
      memory_ratio "$PWD" "  1,000 lanes, $shape, peak memory"
    )
  done
  runs=5 measure growth "$(compile_of "$work/file-each-5000" --no-cache)" "$(compile_of "$work/file-each-1000" --no-cache)"
  ratio growth 0 1 5.5 "  5,000 lanes by 1,000, time"
  # The warming runs fill the cache.
  export XDG_CACHE_HOME=$work/cache
  runs=60 measure again "$(compile_of "$root")" "$work/pikaci --version"
  ratio again 0 1 1.3 "  this repository's lanes again, by pikaci --version"
  for shape in file-each one-file; do
    (
      cd "$work/$shape-5000" || exit
      runs=5 measure "again-$shape" "$(compile_of "$PWD")" "$work/cue export ./lanes"
      ratio "again-$shape" 0 1 0.05 "  5,000 lanes again, $shape, by cue export"
    )
  done
}
