package main

// completionScript is the script of a shell. All that it knows is how its shell
// asks and takes the answer: what may stand where, pikaci says.
func completionScript(shell string) string {
	switch shell {
	case "bash":
		return bashCompletion
	case "zsh":
		return zshCompletion
	}
	return fishCompletion
}

// The program is the one that is being completed, so that ./pikaci asks itself.

const bashCompletion = `# bash completion for pikaci
_pikaci() {
	local program=${COMP_WORDS[0]/#\~/$HOME} cur=${COMP_WORDS[COMP_CWORD]} line
	[[ $cur == "=" ]] && cur=
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files)
			compopt -o filenames 2>/dev/null
			while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
			;;
		:dirs)
			compopt -o filenames 2>/dev/null
			while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$cur")
			;;
		*) COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("$program" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _pikaci pikaci
`

const zshCompletion = `#compdef pikaci
_pikaci() {
	local line word files= dirs=
	local -a found
	for line in "${(@f)$(${(Q)~words[1]} completion words -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
		case $line in
		'') ;;
		:files) files=1 ;;
		:dirs) dirs=1 ;;
		*)
			word=${line%%$'\t'*}
			found+=("${word//:/\\:}${${line#"$word"}/$'\t'/:}")
			;;
		esac
	done
	(( $#found )) && _describe pikaci found
	[[ -n $files ]] && _files
	[[ -n $dirs ]] && _files -/
	return 0
}
if [[ $funcstack[1] == _pikaci ]]; then
	_pikaci "$@"
else
	compdef _pikaci pikaci
fi
`

const fishCompletion = `# fish completion for pikaci
function __pikaci_complete
	set -l before (commandline -opc)
	set -l last (commandline -ct)
	for line in ($before[1] completion words -- $before[2..-1] "$last" 2>/dev/null)
		switch $line
			case :files
				__fish_complete_path "$last"
			case :dirs
				__fish_complete_directories "$last"
			case '*'
				echo $line
		end
	end
end
complete -c pikaci -f -a '(__pikaci_complete)'
`
