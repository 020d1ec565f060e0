include $(sort $(wildcard $(BR2_EXTERNAL_MOULT_PATH)/package/*/*.mk))
