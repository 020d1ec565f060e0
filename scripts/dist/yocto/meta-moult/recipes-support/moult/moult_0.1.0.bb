SUMMARY = "Update runtime for embedded Linux, scriptable in Lua"
DESCRIPTION = "Installs signed releases of a system image and of the device's scripts, on trial until they are confirmed."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=a3c899349057bade981adeceac243cb9"

DEPENDS = "lua curl openssl jansson libarchive zstd xz libseccomp"

inherit cmake pkgconfig systemd externalsrc features_check

REQUIRED_DISTRO_FEATURES = "seccomp"
EXTERNALSRC = "${MOULT_SOURCE}"

EXTRA_OECMAKE = "-DBUILD_TESTING=OFF -DMOULT_AUTHOR=OFF -DMOULT_DEPOT=OFF"

PACKAGECONFIG ??= "mqtt uboot"
PACKAGECONFIG[mqtt] = "-DMOULT_MQTT=ON,-DMOULT_MQTT=OFF,mosquitto"
PACKAGECONFIG[uboot] = "-DMOULT_UBOOT=ON,-DMOULT_UBOOT=OFF,libubootenv"

SYSTEMD_SERVICE:${PN} = "moult.service"

# What a plain lua5.4 can use of Moult; devices do not need it.
PACKAGES =+ "${PN}-lua"
FILES:${PN}-lua = "${libdir}/lua ${datadir}/lua"
FILES:${PN} += "${datadir}/moult ${datadir}/bash-completion ${systemd_system_unitdir}"

RRECOMMENDS:${PN} += "ca-certificates"
