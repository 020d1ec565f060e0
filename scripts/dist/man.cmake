# Manual pages and completion, made by the host from its own tables.
string(TIMESTAMP MOULT_BUILD_DATE "%Y-%m-%d" UTC)
set(MOULT_PAGES moult.1 moult-config.5 moult-package.5 moult-native.7 moult-policy.7 moult-script.7
  moult-control.7 moult-depot-api.7 moult.3)
# A program for another machine makes none, unless something here runs it.
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  set(MOULT_PAGES)
  return()
endif()
list(TRANSFORM MOULT_PAGES PREPEND ${CMAKE_BINARY_DIR}/man/ OUTPUT_VARIABLE MOULT_PAGE_FILES)
file(GLOB_RECURSE MOULT_PAGE_SOURCES CONFIGURE_DEPENDS scripts/dist/*.lua lua/*.lua)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/man)
add_custom_command(OUTPUT ${MOULT_PAGE_FILES} ${CMAKE_BINARY_DIR}/man/moult.bash
  COMMAND moult ${CMAKE_CURRENT_SOURCE_DIR}/scripts/dist/man.lua ${CMAKE_BINARY_DIR}/man ${MOULT_BUILD_DATE}
  DEPENDS moult ${MOULT_PAGE_SOURCES} ${MOULT_BINDING_SOURCES} bindings/preload.c
    runtime/client/moult.h
  COMMENT "Making manual pages and completion")
add_custom_target(man ALL DEPENDS ${MOULT_PAGE_FILES})
