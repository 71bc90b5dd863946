complete --keep-order --exclusive --command liveops --arguments "(COMPLETE=fish liveops -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
