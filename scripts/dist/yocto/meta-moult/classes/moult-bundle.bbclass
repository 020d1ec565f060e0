# moult-bundle.bbclass -- a signed package (.upd) of an image, of the device's Lua tree, or of both.
#
#   LICENSE = "CLOSED"
#   inherit moult-bundle
#   MOULT_PROJECT = "METER"              as in the devices' configuration
#   MOULT_PRODUCT_KEY = "k-123"
#   MOULT_HARDWARE = "rev-a rev-b"       default: every revision
#   MOULT_SEQUENCE = "18"                rises with every release
#   MOULT_VERSION = "1.0.1"              default: PV; VERSION of the script
#   MOULT_KEY = "/secret/release.key"    keep it outside of the layers
#
#   MOULT_CORE_IMAGE = "core-image-minimal"
#   MOULT_CORE_NAME = "meter"
#   MOULT_CORE_VERSION = "22"
#   MOULT_CORE_FROM = "21:/releases/core21.ext4"   older cores, for a delta from each
#   MOULT_SCRIPT = "${THISDIR}/app"      the tree with main.lua
#
# The package is ${PN}.upd in DEPLOY_DIR_IMAGE. `moult` has to be on the PATH of
# the build host: see scripts/setup, or the Debian packages.

MOULT_VERSION ??= "${PV}"
MOULT_HARDWARE ??= ""
MOULT_KEY ??= ""
MOULT_SCRIPT ??= ""
MOULT_CORE_IMAGE ??= ""
MOULT_CORE_NAME ??= "${MACHINE}"
MOULT_CORE_VERSION ??= ""
MOULT_CORE_FSTYPE ??= "ext4"
MOULT_CORE_FILE ??= "${DEPLOY_DIR_IMAGE}/${MOULT_CORE_IMAGE}-${MACHINE}.rootfs.${MOULT_CORE_FSTYPE}"
MOULT_CORE_FROM ??= ""

PACKAGE_ARCH = "${MACHINE_ARCH}"
INHIBIT_DEFAULT_DEPS = "1"

inherit nopackages deploy

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"

do_deploy[depends] += "${@'%s:do_image_complete' % d.getVar('MOULT_CORE_IMAGE') if d.getVar('MOULT_CORE_IMAGE') else ''}"
do_deploy[file-checksums] += "${@'%s:True' % d.getVar('MOULT_SCRIPT') if d.getVar('MOULT_SCRIPT') else ''}"

moult_recipe() {
    echo "return {"
    echo "  project = '${MOULT_PROJECT}', product_key = '${MOULT_PRODUCT_KEY}',"
    echo "  sequence = ${MOULT_SEQUENCE}, version = '${MOULT_VERSION}',"
    if [ -n "${MOULT_HARDWARE}" ]; then
        printf "  hardware = {"
        for revision in ${MOULT_HARDWARE}; do printf " '%s'," "$revision"; done
        echo " },"
    fi
    if [ -n "${MOULT_SCRIPT}" ]; then
        echo "  script = { dir = '${MOULT_SCRIPT}' },"
    fi
    if [ -n "${MOULT_CORE_IMAGE}" ]; then
        echo "  core = { name = '${MOULT_CORE_NAME}', version = ${MOULT_CORE_VERSION}, image = '${MOULT_CORE_FILE}',"
        printf "    from = {"
        for old in ${MOULT_CORE_FROM}; do printf " { version = %s, image = '%s' }," "${old%%:*}" "${old#*:}"; done
        echo " } },"
    fi
    echo "}"
}

do_deploy() {
    if [ -z "${MOULT_KEY}" ]; then
        bbfatal "MOULT_KEY is not set: a package has to be signed"
    fi
    moult_recipe > ${WORKDIR}/recipe.lua
    moult pack ${WORKDIR}/recipe.lua -o ${DEPLOYDIR}/${PN}.upd -k ${MOULT_KEY} --progress=none
}
addtask deploy after do_prepare_recipe_sysroot before do_build
