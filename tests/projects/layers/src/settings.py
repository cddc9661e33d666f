PLACE = "common"
