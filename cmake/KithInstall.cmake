# cmake --install: the program, its bash completion, a systemd user unit, licence and documents.
# Included where the target `kith` exists.
include(GNUInstallDirs)

# The unit names the program by its full path, as systemd asks.
set(KITH_INSTALLED_PROGRAM ${CMAKE_INSTALL_FULL_BINDIR}/kith)
configure_file(${CMAKE_SOURCE_DIR}/tools/kith/kith.service.in ${CMAKE_BINARY_DIR}/kith.service @ONLY)

install(TARGETS kith RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_SOURCE_DIR}/tools/kith/completion.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME kith)
# Not ${CMAKE_INSTALL_LIBDIR}: systemd looks in lib/ on every architecture.
install(FILES ${CMAKE_BINARY_DIR}/kith.service DESTINATION lib/systemd/user)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md
  ${CMAKE_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}
  FILES_MATCHING PATTERN "*.md")
