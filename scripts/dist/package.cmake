# Debian packages by `cpack -G DEB`: moult (what a device needs), moult-tools (what
# makes packages), moult-depot (the server), lua-moult (the bindings for plain
# lua5.4), libmoult0 and libmoult-dev (for applications in C). `scripts/package` builds, checks and lists them.
#
# Component x_files is what `cmake --install` installs too, x_system what only a
# package may: files in /etc and directories in /var.

# Lua modules: what makes packages, what serves them, and the rest for every device.
set(MOULT_TOOLS_LUA cli/verbs/keygen.lua cli/verbs/pack.lua cli/verbs/sign.lua cli/verbs/delta.lua cli/packing.lua
  cli/recipe.lua cli/recipe_fields.lua cli/recipe_meta.lua cli/compressed.lua cli/globals.lua)
set(MOULT_DEPOT_LUA cli/verbs/depot.lua cli/depot_actions.lua cli/depot_admin.lua cli/depot_api.lua
  cli/depot_config.lua cli/depot_pack.lua cli/depot_product.lua cli/depot_rollout.lua)
set(MOULT_MQTT_LUA update/agent/mqtt_ update/cloud/mqtt_)
set(MOULT_NOT_DEVICE ${MOULT_TOOLS_LUA} ${MOULT_DEPOT_LUA} depot)
if(NOT MOULT_MQTT)
  list(APPEND MOULT_NOT_DEVICE ${MOULT_MQTT_LUA})
endif()
list(JOIN MOULT_NOT_DEVICE "|" MOULT_NOT_DEVICE)
install(DIRECTORY lua/ DESTINATION ${CMAKE_INSTALL_DATADIR}/moult/lua FILES_MATCHING PATTERN "*.lua"
  REGEX "/lua/(${MOULT_NOT_DEVICE})" EXCLUDE)
function(moult_install_lua component)
  foreach(file IN LISTS ARGN)
    get_filename_component(folder ${file} DIRECTORY)
    install(FILES lua/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/moult/lua/${folder} COMPONENT ${component})
  endforeach()
endfunction()
if(MOULT_AUTHOR)
  moult_install_lua(tools_files ${MOULT_TOOLS_LUA})
endif()
if(MOULT_DEPOT)
  moult_install_lua(depot_files ${MOULT_DEPOT_LUA})
  install(DIRECTORY lua/depot DESTINATION ${CMAKE_INSTALL_DATADIR}/moult/lua COMPONENT depot_files
    FILES_MATCHING PATTERN "*.lua")
endif()

find_program(GZIP gzip REQUIRED)

function(moult_compress source target)
  add_custom_command(OUTPUT ${target} COMMAND ${GZIP} -9nc ${source} > ${target} DEPENDS ${source} VERBATIM)
endfunction()

# The manual pages, as Debian wants them. Those for developers are in moult-tools.
set(MOULT_TOOLS_PAGES moult-control.7 moult-native.7 moult-package.5 moult-policy.7 moult-script.7)
set(MOULT_COMPRESSED)
foreach(page IN LISTS MOULT_PAGES)
  string(REGEX MATCH "[0-9]$" section ${page})
  moult_compress(${CMAKE_BINARY_DIR}/man/${page} ${CMAKE_BINARY_DIR}/man/${page}.gz)
  list(APPEND MOULT_COMPRESSED ${CMAKE_BINARY_DIR}/man/${page}.gz)
  if(page STREQUAL "moult-depot-api.7")
    if(MOULT_DEPOT)
      install(FILES ${CMAKE_BINARY_DIR}/man/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 COMPONENT depot_files)
    endif()
  elseif(MOULT_AUTHOR AND page IN_LIST MOULT_TOOLS_PAGES)
    install(FILES ${CMAKE_BINARY_DIR}/man/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
      COMPONENT tools_files)
  elseif(NOT page STREQUAL "moult.3")
    install(FILES ${CMAKE_BINARY_DIR}/man/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  elseif(MOULT_CLIENT)
    install(FILES ${CMAKE_BINARY_DIR}/man/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
      COMPONENT clientdev_files)
  endif()
endforeach()
set(component)
if(MOULT_AUTHOR) # where people work
  set(component COMPONENT tools_files)
endif()
install(FILES ${CMAKE_BINARY_DIR}/man/moult.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME moult ${component} OPTIONAL)

# A plain lua5.4 finds update.policy and update.version, to try a policy with.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/dist)
file(CREATE_LINK ../../moult/lua/update ${CMAKE_BINARY_DIR}/dist/update SYMBOLIC)
install(FILES ${CMAKE_BINARY_DIR}/dist/update DESTINATION ${CMAKE_INSTALL_DATADIR}/lua/5.4 COMPONENT lua_files)

install(FILES scripts/dist/moult.service DESTINATION lib/systemd/system)
install(FILES scripts/dist/config.lua scripts/dist/moult-files.conf scripts/dist/moult-settle.service
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/moult/examples)
install(PROGRAMS scripts/dist/settle.init DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/moult/examples)
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/moult/examples COMPONENT tools_files)

install(FILES scripts/dist/default.moult DESTINATION /etc/default RENAME moult
  COMPONENT host_system EXCLUDE_FROM_ALL)
install(FILES scripts/dist/debian/moult/lintian-overrides DESTINATION /usr/share/lintian/overrides RENAME moult
  COMPONENT host_system EXCLUDE_FROM_ALL)
install(DIRECTORY DESTINATION /etc/moult/keys COMPONENT host_system EXCLUDE_FROM_ALL)
install(DIRECTORY DESTINATION /var/lib/moult COMPONENT host_system EXCLUDE_FROM_ALL
  DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)
if(MOULT_DEPOT)
  install(FILES scripts/dist/moult-depot.service DESTINATION lib/systemd/system COMPONENT depot_files)
  install(FILES scripts/dist/default.moult-depot DESTINATION /etc/default RENAME moult-depot
    COMPONENT depot_system EXCLUDE_FROM_ALL)
  install(DIRECTORY DESTINATION /etc/moult-depot/keys COMPONENT depot_system EXCLUDE_FROM_ALL)
  install(DIRECTORY DESTINATION /var/lib/moult-depot COMPONENT depot_system EXCLUDE_FROM_ALL)
endif()

string(TIMESTAMP MOULT_CHANGED "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(scripts/dist/debian/changelog.in ${CMAKE_BINARY_DIR}/dist/changelog @ONLY)
moult_compress(${CMAKE_BINARY_DIR}/dist/changelog ${CMAKE_BINARY_DIR}/dist/changelog.gz)
# Package, component: those whose wing there is.
set(MOULT_PACKAGES HOST:moult LUA:lua-moult)
if(MOULT_AUTHOR)
  list(APPEND MOULT_PACKAGES TOOLS:moult-tools)
endif()
if(MOULT_DEPOT)
  list(APPEND MOULT_PACKAGES DEPOT:moult-depot)
endif()
if(MOULT_CLIENT)
  list(APPEND MOULT_PACKAGES CLIENT:libmoult0 CLIENTDEV:libmoult-dev)
endif()
foreach(pair IN LISTS MOULT_PACKAGES)
  string(REGEX MATCH "^[A-Z]+" name ${pair})
  string(REGEX MATCH "[a-z0-9-]+$" package ${pair})
  string(TOLOWER ${name} group)
  install(FILES ${CMAKE_BINARY_DIR}/dist/changelog.gz scripts/dist/debian/copyright
    DESTINATION /usr/share/doc/${package} COMPONENT ${group}_system EXCLUDE_FROM_ALL)
  list(APPEND CPACK_COMPONENTS_ALL ${group}_files ${group}_system)
  set(CPACK_COMPONENT_${name}_FILES_GROUP ${group})
  set(CPACK_COMPONENT_${name}_SYSTEM_GROUP ${group})
  set(CPACK_DEBIAN_${name}_PACKAGE_NAME ${package})
  set(CPACK_DEBIAN_${name}_PACKAGE_SHLIBDEPS ON)
  set(control ${CMAKE_CURRENT_SOURCE_DIR}/scripts/dist/debian/${package})
  if(IS_DIRECTORY ${control})
    file(GLOB extra ${control}/conffiles ${control}/p* ${control}/triggers)
    set(CPACK_DEBIAN_${name}_PACKAGE_CONTROL_EXTRA ${extra})
  endif()
endforeach()
add_custom_target(dist ALL DEPENDS ${MOULT_COMPRESSED} ${CMAKE_BINARY_DIR}/dist/changelog.gz)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME moult)
set(CPACK_PACKAGE_VENDOR "The Moult authors")
set(CPACK_PACKAGE_CONTACT "The Moult authors <moult@packages.invalid>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_SET_DESTDIR ON) # files below /etc and /var
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_HOST_DESCRIPTION "update runtime for embedded Linux, scriptable in Lua
Fetches, verifies and installs signed releases of a device's system image and
of its Lua scripts, as a pair: written beside what runs, armed by one write,
run on trial, then confirmed or rolled back. Power may go at any instant.
.
What to update and when is policy, a Lua file. This package brings what a
device needs: the program, its Lua modules and the service.")
set(CPACK_DEBIAN_HOST_PACKAGE_DEPENDS "init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_HOST_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_HOST_PACKAGE_SUGGESTS "moult-tools, moult-depot, lua-moult, minisign")

set(CPACK_DEBIAN_TOOLS_DESCRIPTION "makes packages for devices that run moult
The verbs keygen, pack, sign and delta: signed packages of system images and
Lua scripts, whole or as the difference to an earlier release.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "moult (= ${PROJECT_VERSION})")

set(CPACK_DEBIAN_DEPOT_DESCRIPTION "server of packages for devices that run moult
Answers the update queries of devices and serves signed packages from a
directory, with ranges and entity tags. Packages may be copied in and taken
away at any time; what no key verifies is not offered. On an MQTT broker it
is the cloud of devices that speak Aliyun's, Tencent's or Qinglian's dialect.")
set(CPACK_DEBIAN_DEPOT_PACKAGE_DEPENDS "moult-tools (= ${PROJECT_VERSION}), init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_DEPOT_PACKAGE_SUGGESTS "mosquitto")
set(CPACK_DEBIAN_DEPOT_PACKAGE_SECTION net)

set(CPACK_DEBIAN_LUA_DESCRIPTION "moult's modules for lua5.4
The native modules update.native.*, and the default policy, to try one outside
of a device.")
set(CPACK_DEBIAN_LUA_PACKAGE_DEPENDS "moult (= ${PROJECT_VERSION}), lua5.4")
set(CPACK_DEBIAN_LUA_PACKAGE_SECTION interpreters)

set(CPACK_DEBIAN_CLIENT_DESCRIPTION "talk to the update agent of a device
The library for applications that follow the updates of moult, confirm and
roll back releases, and tell facts for the policy.")
set(CPACK_DEBIAN_CLIENT_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_CLIENT_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_CLIENTDEV_DESCRIPTION "header and manual of libmoult
For C and C++ programs that talk to the update agent of a device that runs
moult.")
set(CPACK_DEBIAN_CLIENTDEV_PACKAGE_DEPENDS "libmoult0 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_CLIENTDEV_PACKAGE_SECTION libdevel)
include(CPack)
