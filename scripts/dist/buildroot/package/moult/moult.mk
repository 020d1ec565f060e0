################################################################################
#
# moult
#
################################################################################

MOULT_VERSION = 0.1.0
MOULT_SITE = $(BR2_EXTERNAL_MOULT_PATH)/../../..
MOULT_SITE_METHOD = local
MOULT_LICENSE = MIT
MOULT_LICENSE_FILES = LICENSE
MOULT_DEPENDENCIES = host-pkgconf jansson libarchive libcurl libseccomp lua openssl xz zstd
MOULT_CONF_OPTS = -DMOULT_AUTHOR=OFF -DMOULT_DEPOT=OFF
MOULT_INSTALL_STAGING = YES # libmoult, for C programs of the image

ifeq ($(BR2_PACKAGE_MOULT_MQTT),y)
MOULT_DEPENDENCIES += mosquitto
MOULT_CONF_OPTS += -DMOULT_MQTT=ON
else
MOULT_CONF_OPTS += -DMOULT_MQTT=OFF
endif

ifeq ($(BR2_PACKAGE_MOULT_UBOOT),y)
MOULT_DEPENDENCIES += libubootenv
MOULT_CONF_OPTS += -DMOULT_UBOOT=ON
else
MOULT_CONF_OPTS += -DMOULT_UBOOT=OFF
endif

# The unit for systemd is among what CMake installs.
define MOULT_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 755 $(MOULT_PKGDIR)/S90moult $(TARGET_DIR)/etc/init.d/S90moult
endef

$(eval $(cmake-package))
