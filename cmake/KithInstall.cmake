# cmake --install: the program, its bash completion, a systemd user unit, licence and documents.
# Included where the target `kith` exists.
include(GNUInstallDirs)

install(TARGETS kith RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_SOURCE_DIR}/tools/kith/completion.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME kith)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md
  ${CMAKE_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}
  FILES_MATCHING PATTERN "*.md")

# The unit names the program by its full path, which is known only now if --prefix is given. A percent
# sign in it would begin a specifier. systemd looks in lib/ on every architecture, so this is not
# CMAKE_INSTALL_LIBDIR.
install(CODE "
  set(KITH_PROGRAM \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/kith\")
  string(REPLACE \"%\" \"%%\" KITH_PROGRAM \"\${KITH_PROGRAM}\")
  configure_file(\"${CMAKE_SOURCE_DIR}/tools/kith/kith.service.in\"
    \"${CMAKE_BINARY_DIR}/kith.service\" @ONLY)")
install(FILES ${CMAKE_BINARY_DIR}/kith.service DESTINATION lib/systemd/user)
